"""Plain text for a terminal."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from adapter_host.errors import AdapterHostError


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


def write_output(text: str, output: Path | None) -> None:
    """Write `text` to a file, or to standard output; raise `AdapterHostError`."""
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise AdapterHostError(f"cannot write '{output}': {error.strerror}") from error
