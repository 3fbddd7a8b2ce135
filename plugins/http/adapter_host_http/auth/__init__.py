"""Credentials for upstream requests: static, digest, OAuth 2.0. Imports `request` and `transport`."""
