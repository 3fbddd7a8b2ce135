"""Formats of answers: what an operation may declare, and how an answer in it becomes data."""

from .format import FORMATS, Convert, Format, FormatError, accept_header, compile_format

__all__ = ["FORMATS", "Convert", "Format", "FormatError", "accept_header", "compile_format"]
