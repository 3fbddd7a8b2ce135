"""`adapter-host serve`: processes, file watching, the ready file. Imports `host` and below."""
