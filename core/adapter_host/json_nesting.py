"""JSON within a nesting limit, so that everything that is parsed can be encoded again."""

from __future__ import annotations

from typing import Any, Final

import orjson

from .charsets import charset_of, decode_text
from .errors import UpstreamInvalidError
from .json_numbers import literal, restore_digits, with_literals

MAX_JSON_DEPTH: Final = 100
"""The levels of objects and arrays; orjson parses 1024 and encodes 254, and a document may wrap what it receives."""


class NestingError(ValueError):
    """JSON exceeds the nesting limit."""

    def __init__(self) -> None:
        super().__init__(f"nested more than {MAX_JSON_DEPTH} levels deep")


def parse_json(text: bytes | str) -> Any:
    """Parse JSON; numbers keep their digits.

    A decimal with more digits than a float keeps is a subclass of float, `LongDecimal`, whose `text` has all of them.
    Serialize it with `encode_json`: others round it, or refuse it.

    Raise `orjson.JSONDecodeError` or, for more than `MAX_JSON_DEPTH` levels, `NestingError`.
    """
    data = orjson.loads(text)
    # Counting brackets is much faster than walking the data, and most texts have few.
    brackets = text.count(b"{") + text.count(b"[") if isinstance(text, bytes) else text.count("{") + text.count("[")
    if brackets > MAX_JSON_DEPTH and is_deep(data):
        raise NestingError
    return restore_digits(text if isinstance(text, bytes) else text.encode(), data)


def decode_json(body: bytes, media_type: str = "") -> Any:
    """Parse the JSON of a response in any charset; numbers keep their digits. Raise `ValueError`."""
    if charset_of(body, media_type) is not None:
        body = decode_text(body, media_type).encode()
    return restore_digits(body, orjson.loads(body))


def encode_json(data: Any) -> bytes:
    """Return data as JSON; raise `UpstreamInvalidError` for data nested too deeply, `TypeError` for other types.

    Arguments and the results of scripts are within the limit, so only an upstream can send such data.
    """
    try:
        return orjson.dumps(data, default=literal)
    except orjson.JSONEncodeError:
        if is_deep(data):
            raise UpstreamInvalidError("the upstream response is nested too deeply") from None
    return orjson.dumps(with_literals(data), default=literal)


def is_deep(data: Any) -> bool:
    """Return whether data has more than `MAX_JSON_DEPTH` levels of objects and arrays."""
    level = [data] if isinstance(data, dict | list) else []
    for _ in range(MAX_JSON_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
