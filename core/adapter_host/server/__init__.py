"""Sockets, mounts, routing and the access check in front of every exposer. Imports `compiler` and below."""
