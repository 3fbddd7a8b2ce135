"""Endpoints of the control port. Imports only `telemetry` and the root modules of the plugin."""
