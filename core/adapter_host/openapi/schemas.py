"""Schemas, as far as a capability's inputs and examples can say them; they may refer to themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from .documents import Cursor

TYPES: Final = frozenset({"string", "number", "integer", "boolean", "array", "object"})

_MOST_FIELDS: Final = 60
_DEEPEST_FIELDS: Final = 3
_MOST_ENUM: Final = 40
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

Seen = frozenset[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class Field:
    """A property of an object."""

    name: str
    schema: Cursor
    required: bool


def parts(schema: Cursor | None, seen: Seen = frozenset()) -> Iterator[Cursor]:
    """Yield a schema and all that `allOf` adds to it."""
    if schema is None or not isinstance(schema.value, dict) or schema.identity in seen:
        return
    yield schema
    for part in schema.elements("allOf"):
        yield from parts(part, seen | {schema.identity})


def type_of(schema: Cursor | None, seen: Seen = frozenset()) -> str | None:
    """Return the one type that values have; None when they may have several, or any."""
    if schema is None or not isinstance(schema.value, dict) or schema.identity in seen:
        return None
    if (own := _own_type(schema.value)) is not None or "type" in schema.value:
        return own
    below = seen | {schema.identity}
    for key in ("allOf", "oneOf", "anyOf"):
        found = {type_of(part, below) for part in schema.elements(key) if not _is_null(part)}
        found -= {None} if key == "allOf" else set()
        if len(found) == 1:
            return found.pop()
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
    return "string" if isinstance(enum, list) and enum and all(isinstance(each, str) for each in enum) else None


def _is_null(schema: Cursor) -> bool:
    return isinstance(schema.value, dict) and schema.value.get("type") == "null"


def fields(schema: Cursor | None) -> list[Field]:
    """Return the properties of an object, those of `allOf` and of a sole alternative too."""
    found: dict[str, Cursor] = {}
    required: set[str] = set()
    for part in parts(_sole(schema)):
        for name, child in part.named("properties"):
            found.setdefault(name, child)
        names = part.value.get("required")
        required.update(name for name in (names if isinstance(names, list) else ()) if isinstance(name, str))
    writable = {name: child for name, child in found.items() if not child.flag("readOnly")}
    return [Field(name, child, name in required) for name, child in writable.items()]


def _sole(schema: Cursor | None) -> Cursor | None:
    """Return a schema, or the only one of its alternatives that is not null."""
    for key in ("oneOf", "anyOf"):
        if schema is not None and isinstance(schema.value, dict) and not schema.value.keys() & {"properties", "allOf"}:
            alternatives = [part for part in schema.elements(key) if not _is_null(part)]
            if len(alternatives) == 1:
                return alternatives[0]
    return schema


def pattern_of(schema: Cursor | None) -> str | None:
    """Return the pattern of a text; one that cannot be used is noted."""
    for part in parts(schema):
        pattern = part.value.get("pattern")
        if isinstance(pattern, str) and pattern:
            try:
                re.compile(pattern)
            except (re.error, OverflowError, RecursionError):
                part.warn("this pattern is not one of Python's, so it is not checked")
                return None
            return pattern
    return None


def remarks(schema: Cursor | None) -> str:
    """Return the constraints that an input cannot express: allowed values, limits, the format."""
    said: dict[str, None] = {}
    for part in parts(_sole(schema)):
        said.update(dict.fromkeys(_remarks(part)))
    return " ".join(said)


def _remarks(schema: Cursor) -> Iterator[str]:
    value = schema.value
    items = schema.get("items")
    for holder, what in ((value, "One of"), (items.value if items else None, "Of these")):
        if isinstance(holder, dict) and isinstance(enum := holder.get("enum"), list) and enum:
            more = "" if len(enum) <= _MOST_ENUM else f" and {len(enum) - _MOST_ENUM} more"
            yield f"{what}: {', '.join(map(_shown, enum[:_MOST_ENUM]))}{more}."
    if isinstance(value.get("format"), str):
        yield f"Format: {value['format']}."
    limits = [f"{word} {_shown(value[key])}" for key, word in _LIMITS if _is_scalar(value.get(key))]
    if limits:
        text = ", ".join(limits)
        yield f"{text[0].upper()}{text[1:]}."


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float) and not (isinstance(value, bool) and not value)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str, option=_BIG).decode()


_BIG: Final = orjson.OPT_PASSTHROUGH_SUBCLASS


def field_lines(schema: Cursor | None) -> list[str]:
    """Return the fields of an object (or of an array's elements), a line each, for a description."""
    lines: list[str] = []
    _add_lines(schema, 0, frozenset(), lines)
    if len(lines) > _MOST_FIELDS:
        lines = [*lines[:_MOST_FIELDS], f"- and {len(lines) - _MOST_FIELDS} more"]
    return lines


def _add_lines(schema: Cursor | None, depth: int, seen: Seen, lines: list[str]) -> None:
    holder = _elements(schema)
    if holder is None or holder.identity in seen or depth == _DEEPEST_FIELDS or len(lines) > 4 * _MOST_FIELDS:
        return
    for field in fields(holder):
        lines.append(f"{'  ' * depth}- {field.name}{_aside(field)}{_gist(field.schema)}")
        _add_lines(field.schema, depth + 1, seen | {holder.identity}, lines)


def _elements(schema: Cursor | None) -> Cursor | None:
    """Return an array's elements; of anything else, itself."""
    if type_of(schema) == "array" and schema is not None:
        return next((items for part in parts(schema) if (items := part.mapping("items"))), None)
    return schema


def _aside(field: Field) -> str:
    kind = type_of(field.schema)
    if kind == "array" and (of := type_of(_elements(field.schema))):
        kind = f"array of {of}"
    words = [word for word in (kind, "required" if field.required else None) if word]
    return f" ({', '.join(words)})" if words else ""


def description_of(schema: Cursor | None) -> str | None:
    """Return a schema's description."""
    return next((text for part in parts(schema) if (text := part.text("description"))), None)


def _gist(schema: Cursor) -> str:
    description = description_of(schema) or ""
    said = " ".join(filter(None, [" ".join(description.split()), remarks(schema)]))
    return f": {said}" if said else ""
