"""Secrets and the sources that they are read from. Imports `document` and below."""
