"""Text formats: bytes as text, whatever the charset."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from typing import Final

from .format import refuse

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What Python calls encodings but no answer is written in; some take quadratic time.
_ODD: Final = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"})


def read_text(body: bytes, charset: str | None) -> str:
    """Return the text of an answer: by its byte order mark, else its charset, else UTF-8; raises `ValueError`."""
    marked = next((name for mark, name in _MARKS if body.startswith(mark)), None)
    return decoded(body, marked or charset or "utf-8")


def decoded(body: bytes, charset: str) -> str:
    """Bytes as text; raises `ValueError`."""
    try:
        if codecs.lookup(charset).name.replace("_", "-") not in _ODD:
            return body.decode(charset)
    except LookupError:
        refuse("its charset is unknown")
    return refuse("its charset is unknown")


def distinct(names: Iterable[str]) -> list[str]:
    """Return the names of columns, no two the same: a second `total` becomes `total_2`."""
    found: dict[str, None] = {}
    counts: dict[str, int] = {}
    for name in names:
        unique = name
        while unique in found:
            counts[name] = counts.get(name, 1) + 1
            unique = f"{name}_{counts[name]}"
        found[unique] = None
    return list(found)
