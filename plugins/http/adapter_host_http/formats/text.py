"""Text formats: bytes as text, whatever the charset."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from typing import Final

from .format import reject

_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What Python calls encodings but no answer is written in; some take quadratic time.
_EXCLUDED_CODECS: Final = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"})


def read_text(body: bytes, charset: str | None) -> str:
    """Return the text of an answer: by its byte order mark, else its charset, else UTF-8; raises `ValueError`."""
    bom_charset = next((name for mark, name in _BYTE_ORDER_MARKS if body.startswith(mark)), None)
    return decode(body, bom_charset or charset or "utf-8")


def decode(body: bytes, charset: str) -> str:
    """Bytes as text; raises `ValueError`."""
    try:
        if codecs.lookup(charset).name.replace("_", "-") not in _EXCLUDED_CODECS:
            return body.decode(charset)
    except LookupError:
        reject("its charset is unknown")
    return reject("its charset is unknown")


def unique_names(names: Iterable[str]) -> list[str]:
    """Return the names of columns, no two the same: a second `total` becomes `total_2`."""
    names_seen: dict[str, None] = {}
    counts: dict[str, int] = {}
    for name in names:
        unique = name
        while unique in names_seen:
            counts[name] = counts.get(name, 1) + 1
            unique = f"{name}_{counts[name]}"
        names_seen[unique] = None
    return list(names_seen)
