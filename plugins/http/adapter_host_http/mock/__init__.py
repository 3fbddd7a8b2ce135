"""A mock server for a consumed API. Imports `auth` and below."""
