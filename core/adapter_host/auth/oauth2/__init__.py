"""OAuth 2.0 resource server: authenticate clients by tokens of an authorization server."""
