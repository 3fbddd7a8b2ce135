"""From a document to a plan: load, resolve references, compile operations. Imports `auth` and below."""
