"""Binds: named secrets and their sources. Imports `document` and below."""
