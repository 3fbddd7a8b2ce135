"""Compile a document to a plan: load it, resolve references, compile operations. Imports `auth` and below."""
