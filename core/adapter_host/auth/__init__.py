"""Authentication of clients, and towards consumed APIs (`upstream`). Imports `plugin` and below."""
