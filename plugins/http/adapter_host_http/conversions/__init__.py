"""Conversions of responses to JSON; worker processes import them, so they import nothing of the host."""
