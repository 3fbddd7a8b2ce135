"""Metrics and traces of calls. Imports the plugin's root modules only."""
