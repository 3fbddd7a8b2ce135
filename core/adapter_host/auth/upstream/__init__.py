"""Credentials of the host towards consumed APIs: fixed values, digest, OAuth 2.0. Imports `plugin` and below."""
