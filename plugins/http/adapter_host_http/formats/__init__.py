"""Formats of responses: what an operation may declare, and how a response is converted to data."""

from .format import FORMATS, Format, accept_header, compile_format

__all__ = ["FORMATS", "Format", "accept_header", "compile_format"]
