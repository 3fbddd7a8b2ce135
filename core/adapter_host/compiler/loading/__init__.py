"""Load documents: read and parse them, and complete them by OpenAPI documents. Imports `references`."""
