"""TLS on the ports of exposers: certificates and their files. Imports no connection."""
