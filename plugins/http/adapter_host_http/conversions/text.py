"""Text in any charset, names of columns, and the size of data."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from typing import Final

from .errors import TooLargeError, reject

MAX_CELLS: Final = 1_000_000
FREE_CELLS: Final = 10_000

_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Python codecs that are not charsets of responses; some take quadratic time.
_EXCLUDED_CODECS: Final = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"})


def read_text(body: bytes, charset: str | None) -> str:
    """Return the text of a response: by byte order mark, charset or UTF-8; raise `ValueError`."""
    bom_charset = next((name for mark, name in _BYTE_ORDER_MARKS if body.startswith(mark)), None)
    return decode(body, bom_charset or charset or "utf-8")


def decode(body: bytes, charset: str) -> str:
    """Return bytes as text; raise `ValueError`."""
    try:
        if codecs.lookup(charset).name.replace("_", "-") not in _EXCLUDED_CODECS:
            return body.decode(charset)
    except LookupError:
        reject("unknown charset")
    return reject("unknown charset")


def unique_names(names: Iterable[str]) -> list[str]:
    """Return column names without duplicates: a second `total` becomes `total_2`."""
    names_seen: dict[str, None] = {}
    counts: dict[str, int] = {}
    for name in names:
        unique = name
        while unique in names_seen:
            counts[name] = counts.get(name, 1) + 1
            unique = f"{name}_{counts[name]}"
        names_seen[unique] = None
    return list(names_seen)


def cell_limit(length: int) -> int:
    """Return how many cells the tables of a text may have: about as many as it has characters.

    Empty cells that complete short rows count, too; short texts could have millions of them.
    """
    return min(MAX_CELLS, FREE_CELLS + length)


class SizeLimit:
    """Counts the characters of data while it is built; `limit` bounds the size of the data as JSON."""

    __slots__ = ("_left",)

    def __init__(self, limit: int) -> None:
        self._left = limit

    def add(self, characters: int) -> None:
        """Count characters; raise `TooLargeError` beyond the limit."""
        self._left -= characters
        if self._left < 0:
            raise TooLargeError
