"""The keywords of JSON Schema (2020-12) that hold schemas, and those that hold data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

IN_PLACE: Final = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"})
"""Keywords whose schemas apply to the same value."""

BY_NAME: Final = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})
"""Keywords with schemas by name."""

LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
"""Keywords with lists of schemas."""

SINGLE: Final = frozenset(
    {
        "not",
        "if",
        "then",
        "else",
        "items",
        "contains",
        "additionalProperties",
        "propertyNames",
        "unevaluatedItems",
        "unevaluatedProperties",
        "contentSchema",
    }
)
"""Keywords with one schema."""

DROPPED: Final = frozenset({"$defs", "definitions", "$id", "$schema", "$anchor", "$comment", "$vocabulary"})
"""Keywords that a schema without references to other places does not need."""


def map_schemas(schema: Mapping[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a schema with each schema directly in it replaced by `change`, which may call this function again."""
    return {key: _changed(key, value, change) for key, value in schema.items()}


def _changed(key: str, value: Any, change: Callable[[Any], Any]) -> Any:
    if key in SINGLE:
        return change(value)
    if key in BY_NAME and isinstance(value, Mapping):
        return {name: change(part) for name, part in value.items()}
    return [change(part) for part in value] if key in LISTS and isinstance(value, list) else value


def subschemas(schema: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield each schema directly in a schema, with the keys that lead to it."""
    for key, value in schema.items():
        if key in SINGLE:
            yield (key,), value
        elif key in BY_NAME and isinstance(value, Mapping):
            yield from (((key, name), part) for name, part in value.items())
        elif key in LISTS and isinstance(value, list):
            yield from (((key, index), part) for index, part in enumerate(value))
