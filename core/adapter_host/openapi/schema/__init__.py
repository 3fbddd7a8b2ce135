"""Convert schemas to JSON Schema, and to the words of the language. Imports `source` and below."""
