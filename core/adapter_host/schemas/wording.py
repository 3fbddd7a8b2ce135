"""Words of messages about values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from adapter_host.document.messages import join_words
from adapter_host.json_numbers import LongDecimal

ARTICLES: Final = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "an array",
    "object": "an object",
    "null": "null",
}
"""The types of JSON in words."""

_LISTED: Final = 20
_PLAIN: Final = re.compile(r"[^\W\d][\w-]*").fullmatch


def describe_value(value: Any) -> str:
    """Return a value for a message, shortened; the type of an object or an array."""
    if isinstance(value, dict | list):
        return ARTICLES["object" if isinstance(value, dict) else "array"]
    if isinstance(value, int | LongDecimal):
        text = str(value).lower()
    else:
        text = orjson.dumps(value, default=repr).decode() if _is_encodable(value) else repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _is_encodable(value: Any) -> bool:
    return not isinstance(value, str) or value.isascii() or not re.search("[\ud800-\udfff]", value)


def describe_values(values: Sequence[Any]) -> str:
    """Return the first of some values for a message."""
    texts = list(map(describe_value, values[:_LISTED]))
    return ", ".join([*texts, "..."] if len(values) > _LISTED else texts)


def describe_types(types: Iterable[str]) -> str:
    """Return types in words: ``a string or null``."""
    known = [article for name, article in ARTICLES.items() if name in set(types)]
    return join_words(known)


def describe_place(path: Sequence[str | int]) -> str:
    """Return keys and indexes in the notation of JavaScript: ``body.lines[2].quantity``."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif _PLAIN(key):
            text += f".{key}" if text else key
        else:
            text += f"[{orjson.dumps(key).decode()}]" if text else key
    return text


def json_pointer(path: Sequence[str | int]) -> str:
    """Return keys and indexes as a JSON Pointer (RFC 6901)."""
    return "".join(f"/{str(key).replace('~', '~0').replace('/', '~1')}" for key in path)
