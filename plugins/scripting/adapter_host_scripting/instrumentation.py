"""Inserts statement counters into scripts without changing line numbers."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Final

Insertion = tuple[int, int, bytes]
"""Offset in the text, order at the same offset (lower first), and inserted text."""

COUNT_FUNCTION: Final = f"__statement_{secrets.token_hex(8)}"
"""Name of the counting function; random, so that no script can shadow it."""


def insert(text: bytes, insertions: Iterable[Insertion]) -> str:
    """Return the text with the insertions."""
    pieces, end = [], 0
    for offset, _, insertion in sorted(insertions):
        pieces += [text[end:offset], insertion]
        end = offset
    return b"".join([*pieces, text[end:]]).decode()
