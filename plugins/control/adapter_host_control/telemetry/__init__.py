"""Metrics and traces of calls. Imports only the root modules of the plugin."""
