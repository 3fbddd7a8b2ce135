"""Schemas, as far as inputs and examples can express them; they may be recursive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from adapter_host.openapi.source.documents import Cursor
from adapter_host.schemas.values import type_name

from .schema_keywords import TYPES

MAX_PARTS: Final = 200
"""The maximum number of schemas that are combined by `allOf`."""

_MAX_NESTING: Final = 50

Visited = frozenset[tuple[str, Any]]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Field:
    """A property of an object; the references of `raw` are not followed, and `description` precedes the schema's."""

    name: str
    raw: Cursor
    schema: Cursor
    required: bool
    description: str | None = None


def _cached(schema: Cursor, kind: str, read: Callable[[Cursor], Result]) -> Result:
    """Return a result that is the same for every reference to a schema; it is read once."""
    memo, key = schema.documents.memo, (kind, *schema.identity)
    if key not in memo:
        memo[key] = read(schema)
    result: Result = memo[key]
    return result


def all_of_parts(schema: Cursor | None) -> Iterator[Cursor]:
    """Yield a schema and all schemas of its `allOf`, each once."""
    if schema is not None and isinstance(schema.value, dict):
        # A reference may override the schema's description, but no part of it.
        yield schema
        yield from _cached(schema, "parts", _parts_below)


def _parts_below(schema: Cursor) -> list[Cursor]:
    parts: list[Cursor] = []
    seen = {schema.identity}
    remaining = [schema.elements("allOf")]
    while remaining:
        part = next(remaining[-1], None)
        if part is None:
            remaining.pop()
        elif isinstance(part.value, dict) and part.identity not in seen:
            if len(parts) == MAX_PARTS:
                schema.warn(f"it combines more than {MAX_PARTS} schemas by 'allOf'; the others are skipped")
                break
            seen.add(part.identity)
            parts.append(part)
            remaining.append(part.elements("allOf"))
    return parts


def type_of(schema: Cursor | None) -> str | None:
    """Return the type of all values; None if there are several, or any."""
    return None if schema is None or not isinstance(schema.value, dict) else _type_of(schema, 0)


def _type_of(schema: Cursor, depth: int) -> str | None:
    memo, key = schema.documents.memo, ("type", *schema.identity)
    if key not in memo:
        # A schema within itself adds nothing.
        memo[key] = None
        memo[key] = _combined_type(schema, depth)
    result: str | None = memo[key]
    return result


def _combined_type(schema: Cursor, depth: int) -> str | None:
    if (own_type := _own_type(schema.value)) is not None or "type" in schema.value:
        return own_type
    for key in ("allOf", "oneOf", "anyOf") if depth < _MAX_NESTING else ():
        parts = (part for part in schema.elements(key) if not _is_null(part))
        types = {_type_of(part, depth + 1) if isinstance(part.value, dict) else None for part in parts}
        types -= {None} if key == "allOf" else set()
        if len(types) == 1:
            return types.pop()
    return None


def _own_type(value: dict[str, Any]) -> str | None:
    declared = value.get("type")
    if isinstance(declared, list):
        names = [name for name in declared if name != "null"]
        declared = names[0] if len(names) == 1 else None
    if declared == "file":
        return "string"
    if isinstance(declared, str):
        return declared if declared in TYPES else None
    if "type" in value:
        return None
    if "properties" in value or "additionalProperties" in value:
        return "object"
    if "items" in value:
        return "array"
    return _type_of_values(value.get("enum") if "const" not in value else [value["const"]])


def _type_of_values(values: Any) -> str | None:
    """Return the type that all values of an `enum` have, or None."""
    names = {type_name(item) for item in values} if isinstance(values, list) else set()
    return names.pop() if len(names) == 1 and names != {"null"} else None


def _is_null(schema: Cursor) -> bool:
    return isinstance(schema.value, dict) and schema.value.get("type") == "null"


def fields(schema: Cursor | None) -> list[Field]:
    """Return the writable properties of an object, with those of `allOf` and of all alternatives."""
    return _cached(schema, "fields", _read_fields) if schema is not None else []


def _read_fields(schema: Cursor) -> list[Field]:
    found: dict[str, tuple[Cursor, Cursor]] = {}
    required: set[str] = set()
    for part in all_of_parts(schema):
        _add_properties(part, found)
        required |= _required(part)
        for key in ("oneOf", "anyOf"):
            names: list[set[str]] = []
            for alternative in part.elements(key):
                for below in all_of_parts(alternative) if not _is_null(alternative) else ():
                    _add_properties(below, found)
                if not _is_null(alternative):
                    names.append(set().union(*map(_required, all_of_parts(alternative))))
            required |= set.intersection(*names) if names else set()
    writable = {name: pair for name, pair in found.items() if not pair[1].flag("readOnly")}
    return [Field(name, raw, child, name in required) for name, (raw, child) in writable.items()]


def _add_properties(part: Cursor, found: dict[str, tuple[Cursor, Cursor]]) -> None:
    properties = part.mapping("properties")
    for name, child in properties.children() if properties else ():
        if properties is not None:
            found.setdefault(name, (properties.raw(name), child))


def _required(part: Cursor) -> set[str]:
    names = part.value.get("required")
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def single_alternative(schema: Cursor | None) -> Cursor | None:
    """Return the only alternative that is not null, else the schema."""
    for key in ("oneOf", "anyOf"):
        if schema is not None and isinstance(schema.value, dict) and not schema.value.keys() & {"properties", "allOf"}:
            alternatives = [schema_part for schema_part in schema.elements(key) if not _is_null(schema_part)]
            if len(alternatives) == 1:
                return alternatives[0]
    return schema


def array_items(schema: Cursor | None) -> Cursor | None:
    """Return the items of an array; any other schema as it is."""
    if type_of(schema) == "array" and schema is not None:
        return next((items for part in all_of_parts(schema) if (items := items_of(part))), None)
    return schema


def items_of(part: Cursor) -> Cursor | None:
    """Return the schema of an array's elements, if the part has one."""
    return part.get("items") if isinstance(part.value.get("items"), dict) else None


def description_of(schema: Cursor | None) -> str | None:
    """Return the description of a schema, or None."""
    return next((text for schema_part in all_of_parts(schema) if (text := schema_part.text("description"))), None)
