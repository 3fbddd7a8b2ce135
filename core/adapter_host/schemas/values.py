"""JSON values: equality and types."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

_NAMES: Final[dict[type, str]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    dict: "object",
    list: "array",
    type(None): "null",
}


def first_duplicate(values: list[Any]) -> int | None:
    """Return the index of the first value that equals one before it."""
    seen = set()
    for index, value in enumerate(values):
        key = _hashable(value)
        if key in seen:
            return index
        seen.add(key)
    return None


def _hashable(value: Any) -> Any:
    """Return an object that equals that of every equal JSON value."""
    if isinstance(value, dict):
        return ("object", frozenset((name, _hashable(part)) for name, part in value.items()))
    if isinstance(value, list):
        return ("array", tuple(map(_hashable, value)))
    return (isinstance(value, bool), value)


def is_equal(first: Any, second: Any) -> bool:
    """Return whether two JSON values are equal; 1 equals 1.0, and not true."""
    return bool(_hashable(first) == _hashable(second))


def have_same_values(first: Sequence[Any], second: Sequence[Any]) -> bool:
    """Return whether two lists have the same values, in any order."""
    return len(first) == len(second) and all(any(is_equal(value, other) for other in second) for value in first)


def type_name(value: Any) -> str | None:
    """Return the type of a JSON value; None for another value."""
    return _NAMES.get(type(value))


def is_type(value: Any, name: str) -> bool:
    """Return whether a value is of a type of JSON Schema; `1.0` is an integer too."""
    if isinstance(value, bool):
        return name == "boolean"
    if isinstance(value, int | float):
        return name == "number" or (name == "integer" and math.isfinite(value) and value == value // 1)
    expected = {str: "string", list: "array", dict: "object", type(None): "null"}
    return expected.get(type(value)) == name
