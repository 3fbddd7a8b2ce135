"""Authentication of clients: shared secrets, digest, OAuth 2.0 and certificates. Imports `plugin` and below."""
