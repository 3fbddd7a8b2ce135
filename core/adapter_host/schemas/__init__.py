"""JSON Schemas of a document: resolve, check values. Imports `document` and below."""
