"""Decode the bodies of responses by their charset."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import Final

_CHARSET: Final = re.compile(r""";\s*charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MARK_BYTES: Final = frozenset({0x00, 0xEF, 0xFE, 0xFF})
# Python codecs that are not charsets of responses; some take quadratic time.
_EXCLUDED_CODECS: Final = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"})


def charset_of(body: bytes, media_type: str) -> str | None:
    """Return the codec of a text: by its byte order mark, or the charset in its media type; None for UTF-8.

    Raise `ValueError` for an unknown charset.
    """
    if body[:1] and body[0] in _MARK_BYTES:
        for mark, codec in _BYTE_ORDER_MARKS:
            if body.startswith(mark):
                return codec
    return _declared_codec(media_type) if ";" in media_type else None


def decode_text(body: bytes, media_type: str, errors: str = "strict") -> str:
    """Return the text of a response, without a byte order mark; raise `ValueError`.

    With other `errors` than `strict`, an unknown charset is decoded as UTF-8.
    """
    try:
        codec = charset_of(body, media_type)
    except ValueError:
        if errors == "strict":
            raise
        codec = None
    return body.decode(codec or "utf-8", errors)


@lru_cache(maxsize=256)
def _declared_codec(media_type: str) -> str | None:
    match = _CHARSET.search(media_type)
    if match is None:
        return None
    try:
        codec = codecs.lookup(match[1])
        "".encode(codec.name)
    except LookupError:
        raise ValueError("unknown charset") from None
    name = codec.name.replace("_", "-")
    if name in _EXCLUDED_CODECS:
        raise ValueError("unknown charset")
    return None if name in ("utf-8", "ascii") else name
