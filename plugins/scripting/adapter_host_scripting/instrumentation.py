"""Scripts that count their own statements: the text with a call before each, no line moved."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Final

Insertion = tuple[int, int, bytes]
"""Where in the text, in which order at one place (lower first), and what."""

COUNT_FUNCTION: Final = f"__statement_{secrets.token_hex(8)}"
"""The function that counts; no script can know its name beforehand, and so shadow it."""


def insert(text: bytes, insertions: Iterable[Insertion]) -> str:
    """The text with what is inserted."""
    pieces, end = [], 0
    for offset, _, insertion in sorted(insertions):
        pieces += [text[end:offset], insertion]
        end = offset
    return b"".join([*pieces, text[end:]]).decode()
