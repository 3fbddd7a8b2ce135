"""Plain text for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows in columns under their headings."""
    lines = [tuple(map(printable, row)) for row in (head, *rows)]
    widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(_pad(cell, columns) for cell, columns in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _pad(cell: str, columns: int) -> str:
    return cell + " " * (columns - width(cell))


def width(text: str) -> int:
    """Return the number of terminal columns of `text`."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def printable(text: str) -> str:
    """Return `text` on one line, without terminal control characters."""
    return "".join(char if char.isprintable() else " " for char in text)
