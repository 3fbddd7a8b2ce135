"""Example responses: declared ones, else generated from schemas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from adapter_host.openapi.source.documents import Cursor
from adapter_host.schemas.sample_budget import SampleBudget

from .json_values import NO_VALUE
from .schemas import Visited, all_of_parts, items_of, type_of

NO_EXAMPLE: Final = NO_VALUE
"""Marks a missing example, as null may be one."""

_MAX_DEPTH: Final = 4
_BY_FORMAT: Final = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "host.example.com",
}


def declared_example(holder: Cursor) -> Any:
    """Return the declared example of a media type or a schema, or NO_EXAMPLE."""
    if "example" in holder.value:
        example = holder.get("example")
        return NO_EXAMPLE if example is None else example.value
    declared = holder.value.get("examples")
    if isinstance(declared, list):
        return declared[0] if declared else NO_EXAMPLE
    for _, entry in holder.named("examples") if isinstance(declared, dict) else ():
        if isinstance(entry.value, dict) and "value" in entry.value:
            return entry.value["value"]
    return NO_EXAMPLE


def make_example(schema: Cursor | None) -> Any:
    """Return an example of a schema, declared or generated, or NO_EXAMPLE."""
    return _ExampleBuilder().value(schema, 0, frozenset())


class _ExampleBuilder:
    """Builds one example."""

    def __init__(self) -> None:
        self._budget = SampleBudget(_MAX_DEPTH)

    def value(self, schema: Cursor | None, depth: int, visited: Visited) -> Any:
        if schema is None or not isinstance(schema.value, dict):
            return NO_EXAMPLE
        if schema.identity in visited or not self._budget.take(depth):
            return NO_EXAMPLE
        if (explicit_example := _explicit_example(schema)) is not NO_EXAMPLE:
            return explicit_example
        below = visited | {schema.identity}
        for alternative in _alternatives(schema):
            if (example := self.value(alternative, depth, below)) is not NO_EXAMPLE:
                return example
        return self._generated(schema, depth, below)

    def _generated(self, schema: Cursor, depth: int, visited: Visited) -> Any:
        type_name = type_of(schema)
        if type_name == "object":
            return self._object(schema, depth, visited)
        if type_name == "array":
            items = next((items for part in all_of_parts(schema) if (items := items_of(part))), None)
            element = self.value(items, depth + 1, visited)
            return [] if element is NO_EXAMPLE else [element]
        return _scalar(schema.value, type_name)

    def _object(self, schema: Cursor, depth: int, visited: Visited) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for schema_part in all_of_parts(schema):
            if schema_part is not schema and isinstance(example := _explicit_example(schema_part), dict):
                members = {**example, **members}
            for name, child in schema_part.named("properties"):
                if self._budget.is_spent:
                    return members
                if name not in members and not child.flag("writeOnly"):
                    value = self.value(child, depth + 1, visited | {schema_part.identity})
                    members.update({} if value is NO_EXAMPLE else {name: value})
        return members


def _explicit_example(schema: Cursor) -> Any:
    if (example := declared_example(schema)) is not NO_EXAMPLE:
        return example
    for key in ("const", "default"):
        if schema.value.get(key) is not None:
            return schema.value[key]
    enum = schema.value.get("enum")
    return enum[0] if isinstance(enum, list) and enum else NO_EXAMPLE


def _alternatives(schema: Cursor) -> Iterator[Cursor]:
    if "properties" not in schema.value and "allOf" not in schema.value:
        for key in ("oneOf", "anyOf"):
            yield from schema.elements(key)


def _scalar(schema: dict[str, Any], type_name: str | None) -> Any:
    if type_name in ("integer", "number"):
        least = schema.get("minimum")
        floor = least if isinstance(least, int | float) and not isinstance(least, bool) else 1
        return floor if type_name == "number" or isinstance(floor, int) else 1
    if type_name == "boolean":
        return True
    if type_name == "string":
        format_name = schema.get("format")
        return _BY_FORMAT.get(format_name, "text") if isinstance(format_name, str) else "text"
    return NO_EXAMPLE
