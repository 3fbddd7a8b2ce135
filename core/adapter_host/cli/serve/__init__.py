"""`adapter-host serve`: one process or several, file watching, the ready file. Imports `host` and below."""
