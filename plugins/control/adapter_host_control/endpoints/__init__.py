"""What the control port serves. Imports `telemetry` and the plugin's root modules."""
