"""Schemas, as far as inputs and examples can express them; they may be recursive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import orjson

from adapter_host.expressions.pattern import PatternError, compile_pattern

from .documents import Cursor

TYPES: Final = frozenset({"string", "number", "integer", "boolean", "array", "object"})

MAX_PARTS: Final = 200
"""The maximum number of schemas that are combined by `allOf`."""

_MAX_NESTING: Final = 50
_MAX_FIELDS: Final = 60
_MAX_FIELD_DEPTH: Final = 3
_MAX_ENUM_VALUES: Final = 40
_LONGEST_VALUE: Final = 500
_LONGEST_CONSTRAINTS: Final = 5000
_LIMITS: Final = (
    ("minimum", "minimum"),
    ("exclusiveMinimum", "more than"),
    ("maximum", "maximum"),
    ("exclusiveMaximum", "less than"),
    ("minLength", "minimum length"),
    ("maxLength", "maximum length"),
    ("minItems", "minimum items"),
    ("maxItems", "maximum items"),
    ("multipleOf", "multiple of"),
    ("default", "default"),
)

Visited = frozenset[tuple[str, Any]]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Field:
    """A property of an object."""

    name: str
    schema: Cursor
    required: bool


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
    enum = value.get("enum")
    return "string" if isinstance(enum, list) and enum and all(isinstance(item, str) for item in enum) else None


def _is_null(schema: Cursor) -> bool:
    return isinstance(schema.value, dict) and schema.value.get("type") == "null"


def fields(schema: Cursor | None) -> list[Field]:
    """Return the writable properties of an object, with those of `allOf` and of a single alternative."""
    holder = _single_alternative(schema)
    return _cached(holder, "fields", _read_fields) if holder is not None else []


def _read_fields(schema: Cursor) -> list[Field]:
    properties: dict[str, Cursor] = {}
    required: set[str] = set()
    for schema_part in all_of_parts(schema):
        for name, child in schema_part.named("properties"):
            properties.setdefault(name, child)
        names = schema_part.value.get("required")
        required.update(name for name in (names if isinstance(names, list) else ()) if isinstance(name, str))
    writable = {name: child for name, child in properties.items() if not child.flag("readOnly")}
    return [Field(name, child, name in required) for name, child in writable.items()]


def _single_alternative(schema: Cursor | None) -> Cursor | None:
    """Return the only alternative that is not null, else the schema."""
    for key in ("oneOf", "anyOf"):
        if schema is not None and isinstance(schema.value, dict) and not schema.value.keys() & {"properties", "allOf"}:
            alternatives = [schema_part for schema_part in schema.elements(key) if not _is_null(schema_part)]
            if len(alternatives) == 1:
                return alternatives[0]
    return schema


def pattern_of(schema: Cursor | None) -> str | None:
    """Return the pattern of a string; warn if it is not supported."""
    for schema_part in all_of_parts(schema):
        pattern = schema_part.value.get("pattern")
        if isinstance(pattern, str) and pattern:
            try:
                compile_pattern(pattern)
            except PatternError as error:
                schema_part.warn(f"{error}; not checked")
                return None
            return pattern
    return None


def constraints(schema: Cursor | None) -> str:
    """Return the constraints that only a description can express: enum values, limits, the format."""
    holder = _single_alternative(schema)
    return _cached(holder, "constraints", _read_constraints) if holder is not None else ""


def _read_constraints(schema: Cursor) -> str:
    sentences: dict[str, None] = {}
    for schema_part in all_of_parts(schema):
        sentences.update(dict.fromkeys(_iter_constraints(schema_part)))
    text = " ".join(sentences)
    return text if len(text) <= _LONGEST_CONSTRAINTS else f"{text[:_LONGEST_CONSTRAINTS]}..."


def _iter_constraints(schema: Cursor) -> Iterator[str]:
    value = schema.value
    items = schema.get("items")
    for holder, label in ((value, "One of"), (items.value if items else None, "Of these")):
        if isinstance(holder, dict) and isinstance(enum := holder.get("enum"), list) and enum:
            more = "" if len(enum) <= _MAX_ENUM_VALUES else f" and {len(enum) - _MAX_ENUM_VALUES} more"
            yield f"{label}: {', '.join(map(_format_value, enum[:_MAX_ENUM_VALUES]))}{more}."
    if isinstance(value.get("format"), str):
        yield f"Format: {value['format']}."
    limits = [f"{label} {_format_value(value[key])}" for key, label in _LIMITS if _is_scalar(value.get(key))]
    if limits:
        text = ", ".join(limits)
        yield f"{text[0].upper()}{text[1:]}."


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float) and not (isinstance(value, bool) and not value)


def _format_value(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value, default=str, option=_ORJSON_OPTIONS).decode()
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


_ORJSON_OPTIONS: Final = orjson.OPT_PASSTHROUGH_SUBCLASS


def field_lines(schema: Cursor | None) -> list[str]:
    """Return a line for each field of an object (or of an array's items), for a description."""
    return _cached(schema, "lines", _read_field_lines) if schema is not None else []


def _read_field_lines(schema: Cursor) -> list[str]:
    lines: list[str] = []
    _add_lines(schema, 0, frozenset(), lines)
    if len(lines) > _MAX_FIELDS:
        lines = [*lines[:_MAX_FIELDS], f"- and {len(lines) - _MAX_FIELDS} more"]
    return lines


def _add_lines(schema: Cursor | None, depth: int, visited: Visited, lines: list[str]) -> None:
    holder = _array_items(schema)
    if holder is None or holder.identity in visited or depth == _MAX_FIELD_DEPTH or len(lines) > 4 * _MAX_FIELDS:
        return
    for field in fields(holder):
        lines.append(f"{'  ' * depth}- {field.name}{_type_and_required(field)}{_field_summary(field.schema)}")
        _add_lines(field.schema, depth + 1, visited | {holder.identity}, lines)


def _array_items(schema: Cursor | None) -> Cursor | None:
    """Return the items of an array; any other schema as it is."""
    if type_of(schema) == "array" and schema is not None:
        return next((items for schema_part in all_of_parts(schema) if (items := schema_part.mapping("items"))), None)
    return schema


def _type_and_required(field: Field) -> str:
    type_name = type_of(field.schema)
    if type_name == "array" and (of := type_of(_array_items(field.schema))):
        type_name = f"array of {of}"
    notes = [label for label in (type_name, "required" if field.required else None) if label]
    return f" ({', '.join(notes)})" if notes else ""


def description_of(schema: Cursor | None) -> str | None:
    """Return the description of a schema, or None."""
    return next((text for schema_part in all_of_parts(schema) if (text := schema_part.text("description"))), None)


def _field_summary(schema: Cursor) -> str:
    description = description_of(schema) or ""
    summary = " ".join(filter(None, [" ".join(description.split()), constraints(schema)]))
    return f": {summary}" if summary else ""
