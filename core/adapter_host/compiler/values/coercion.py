"""Convert values of responses to the types of outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson

from adapter_host.expressions.jsonpath import PathGetter, member_getter
from adapter_host.json_nesting import encode_json
from adapter_host.schemas.conversion import parse_number

Transform = Callable[[Any], Any]

_STRUCTURES: Final[dict[str | None, type]] = {"object": dict, "array": list}


def scalar(find: PathGetter, type_name: str | None) -> Transform:
    """Return a function that finds a value and converts it to the declared type."""
    # Most values have the declared type already, and a call of `coerce` is slower than this check.
    if type_name not in _COERCIONS:
        return find
    if type_name == "string":
        return lambda data: value if isinstance(value := find(data), str) else coerce(value, type_name)
    return lambda data: coerce(value, type_name) if isinstance(value := find(data), str) else value


def scalar_member(name: str, type_name: str | None) -> Transform:
    """Return `scalar` of a member, in one call: most outputs are one."""
    if type_name not in _COERCIONS:
        return member_getter(name)
    if type_name == "string":
        return lambda data: (
            (value if isinstance(value := data.get(name), str) else coerce(value, type_name))
            if isinstance(data, dict)
            else None
        )
    return lambda data: (
        (coerce(value, type_name) if isinstance(value := data.get(name), str) else value)
        if isinstance(data, dict)
        else None
    )


def typed_constant(value: Any, type_name: str | None) -> Any:
    """Return a constant as the declared type; the language writes objects and arrays as JSON text."""
    if type_name not in _STRUCTURES or not isinstance(value, str):
        return coerce(value, type_name)
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
    return parsed if isinstance(parsed, _STRUCTURES[type_name]) else value


def coerce(value: Any, type_name: str | None) -> Any:
    """Convert `value` to the declared scalar type; return it unchanged when it cannot be converted."""
    if value is None or isinstance(value, dict | list):
        return value
    try:
        return _COERCIONS[type_name](value) if type_name in _COERCIONS else value
    except (ValueError, TypeError, OverflowError):
        return value


def _number(value: Any) -> Any:
    return parse_number(value) if isinstance(value, str) else value


def _boolean(value: Any) -> Any:
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


def _string(value: Any) -> str:
    return value if isinstance(value, str) else encode_json(value).decode()


_COERCIONS: Final[dict[str | None, Callable[[Any], Any]]] = {
    "string": _string,
    "number": _number,
    "integer": _number,
    "boolean": _boolean,
}
