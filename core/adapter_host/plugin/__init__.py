"""The contract with plugins and their discovery. Imports `operation` and below."""
