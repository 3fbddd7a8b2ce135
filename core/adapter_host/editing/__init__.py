"""Editing of documents: the meaning of a place in their text. Imports `host` and below."""
