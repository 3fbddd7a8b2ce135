"""Reverse proxy routes. Imports only the root modules of the plugin."""
