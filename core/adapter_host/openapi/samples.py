"""Examples of answers: those that a document gives, else made up from its schemas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from .documents import Cursor
from .schemas import Seen, parts, type_of

NOTHING: Final = object()
"""That there is no example; null may be one."""

_DEEPEST: Final = 4
_MOST: Final = 100
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


def given(holder: Cursor) -> Any:
    """Return the example that a media type or a schema gives; NOTHING without one."""
    if "example" in holder.value:
        found = holder.get("example")
        return NOTHING if found is None else found.value
    declared = holder.value.get("examples")
    if isinstance(declared, list):
        return declared[0] if declared else NOTHING
    for _, entry in holder.named("examples") if isinstance(declared, dict) else ():
        if isinstance(entry.value, dict) and "value" in entry.value:
            return entry.value["value"]
    return NOTHING


def sample(schema: Cursor | None) -> Any:
    """Return an example of a schema, its own or made up; NOTHING when it says nothing."""
    return _Maker().value(schema, 0, frozenset())


class _Maker:
    """Makes one sample; the values in it are counted, as schemas may multiply."""

    def __init__(self) -> None:
        self._made = 0

    def value(self, schema: Cursor | None, depth: int, seen: Seen) -> Any:
        self._made += 1
        if schema is None or not isinstance(schema.value, dict):
            return NOTHING
        if schema.identity in seen or depth > _DEEPEST or self._made > _MOST:
            return NOTHING
        if (known := _known(schema)) is not NOTHING:
            return known
        below = seen | {schema.identity}
        for alternative in _alternatives(schema):
            if (found := self.value(alternative, depth, below)) is not NOTHING:
                return found
        return self._made_up(schema, depth, below)

    def _made_up(self, schema: Cursor, depth: int, seen: Seen) -> Any:
        kind = type_of(schema)
        if kind == "object":
            return self._object(schema, depth, seen)
        if kind == "array":
            items = next((items for part in parts(schema) if (items := part.mapping("items"))), None)
            element = self.value(items, depth + 1, seen)
            return [] if element is NOTHING else [element]
        return _scalar(schema.value, kind)

    def _object(self, schema: Cursor, depth: int, seen: Seen) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for part in parts(schema):
            if part is not schema and isinstance(own := _known(part), dict):
                made = {**own, **made}
            for name, child in part.named("properties"):
                if name not in made and not child.flag("writeOnly"):
                    value = self.value(child, depth + 1, seen | {part.identity})
                    made.update({} if value is NOTHING else {name: value})
        return made


def _known(schema: Cursor) -> Any:
    if (found := given(schema)) is not NOTHING:
        return found
    for key in ("const", "default"):
        if schema.value.get(key) is not None:
            return schema.value[key]
    enum = schema.value.get("enum")
    return enum[0] if isinstance(enum, list) and enum else NOTHING


def _alternatives(schema: Cursor) -> Iterator[Cursor]:
    if "properties" not in schema.value and "allOf" not in schema.value:
        for key in ("oneOf", "anyOf"):
            yield from schema.elements(key)


def _scalar(schema: dict[str, Any], kind: str | None) -> Any:
    if kind in ("integer", "number"):
        least = schema.get("minimum")
        floor = least if isinstance(least, int | float) and not isinstance(least, bool) else 1
        return floor if kind == "number" or isinstance(floor, int) else 1
    if kind == "boolean":
        return True
    if kind == "string":
        form = schema.get("format")
        return _BY_FORMAT.get(form, "text") if isinstance(form, str) else "text"
    return NOTHING
