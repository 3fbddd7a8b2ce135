"""Connections of clients: limits, progress and protocol errors below routing. Imports `problem_json` and `settings`."""
