"""Errors of conversions."""

from __future__ import annotations

from typing import NoReturn


class FormatError(ValueError):
    """A response or schema that is not in its format; the message never quotes a response."""


class TooLargeError(ValueError):
    """A response whose data would be larger than the limit."""


def reject(reason: str) -> NoReturn:
    """Raise `FormatError`; the reason must not quote the response."""
    raise FormatError(reason)
