"""Authentication of clients: shared secrets, digest and OAuth 2.0. Imports `plugin` and below."""
