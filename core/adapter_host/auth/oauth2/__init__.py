"""Callers that carry a token of an authorization server: OAuth 2.0, as a resource server."""
