"""Scripts that count their own statements: the text with a call before each, no line moved."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Final

Insertion = tuple[int, int, bytes]
"""Where in the text, in which order at one place (lower first), and what."""

TICK: Final = f"__statement_{secrets.token_hex(8)}"
"""The function that counts; no script can know its name beforehand, and so shadow it."""


def inserted(text: bytes, insertions: Iterable[Insertion]) -> str:
    """The text with what is inserted."""
    pieces, end = [], 0
    for place, _, piece in sorted(insertions):
        pieces += [text[end:place], piece]
        end = place
    return b"".join([*pieces, text[end:]]).decode()
