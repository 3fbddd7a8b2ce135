"""Values of documents as the JSON that a capability can have."""

from __future__ import annotations

import json
import math
from typing import Any, Final

NO_VALUE: Final = object()
"""Marks a value that JSON cannot represent, as null may be one."""

MAX_DEPTH: Final = 32
"""The most levels of a value that is copied."""

_LEAST: Final = -(2**63)
_END: Final = 2**64


def number(value: Any) -> int | float | None:
    """Return a number that parsers of JSON can read, or None for all other values.

    An integer of more than 64 bits becomes the nearest floating-point number, if there is one.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int):
        if _LEAST <= value < _END:
            return value
        try:
            return float(value)
        except OverflowError:
            return None
    return value if math.isfinite(value) else None


def json_value(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON, without members that JSON cannot represent; NO_VALUE if it is one itself."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        converted = number(value)
        return NO_VALUE if converted is None else converted
    if depth == MAX_DEPTH:
        return NO_VALUE
    if isinstance(value, list):
        items = (json_value(item, depth + 1) for item in value)
        return [item for item in items if item is not NO_VALUE]
    if isinstance(value, dict):
        members = ((key, json_value(item, depth + 1)) for key, item in value.items() if isinstance(key, str))
        return {key: item for key, item in members if item is not NO_VALUE}
    return NO_VALUE


def json_size(value: Any) -> int:
    """Return the characters of a value in JSON."""
    return len(json.dumps(value, ensure_ascii=False))
