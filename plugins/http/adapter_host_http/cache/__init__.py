"""The response cache of a consumed API (RFC 9111)."""
