"""JSON Schemas in the form that types are made of: references followed, `allOf` merged, null set apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

DEFS: Final = "$defs"

_POINTER: Final = f"#/{DEFS}/"
_MAX_DEPTH: Final = 50
_ANNOTATIONS: Final = frozenset(
    {"title", "description", "default", "deprecated", "example", "examples", "readOnly", "writeOnly"}
)
_ALTERNATIVES: Final = ("oneOf", "anyOf")

Defs = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """A schema without references at its root.

    `name` is that of the schema in `$defs` if it is one. `alternatives` are those of `oneOf` or `anyOf`, without null.
    """

    schema: Mapping[str, Any]
    name: str | None = None
    nullable: bool = False
    alternatives: tuple[Any, ...] = ()
    types: frozenset[str] = field(default_factory=frozenset)

    @property
    def is_object(self) -> bool:
        """Whether it is an object of known properties only."""
        schema = self.schema
        is_open = schema.get("additionalProperties") not in (None, False) or schema.get("patternProperties")
        return self.types == {"object"} and bool(schema.get("properties")) and not is_open and not self.alternatives

    @property
    def values(self) -> tuple[Any, ...]:
        """The allowed values, without null."""
        return tuple(value for value in declared_values(self.schema) if value is not None)


def read_shape(schema: Any, defs: Defs) -> Shape:
    """Return the shape of a schema; one that refers to itself without end allows anything."""
    return _read(schema, defs, 0)


def _read(schema: Any, defs: Defs, depth: int) -> Shape:
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return Shape({})
    name, merged, nullable = None, {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}, True
    parts = [*schema.get("allOf", ())]
    if (target := referenced_name(schema)) is not None:
        parts.insert(0, {"$ref": f"{_POINTER}{target}"} if parts or len(schema) > 1 else defs.get(target))
        name = target if len(schema) == 1 else None
    is_only_annotated = schema.keys() - _ANNOTATIONS <= {"$ref", "allOf"} and len(parts) == 1
    for part in parts:
        shape = _read(part, defs, depth + 1)
        nullable = nullable and shape.nullable
        merged = _merge(merged, _restored(shape))
        name = name or (shape.name if is_only_annotated else None)
    return _split_null(merged, name, nullable and bool(parts), defs, depth)


def declared_values(schema: Mapping[str, Any]) -> Sequence[Any]:
    """Return the values that `const` or `enum` allows, with null; nothing without either."""
    return [schema["const"]] if "const" in schema else schema.get("enum") or ()


def referenced_name(schema: Mapping[str, Any]) -> str | None:
    """Return the name in `$defs` that a schema refers to."""
    reference = schema.get("$ref")
    is_local = isinstance(reference, str) and reference.startswith(_POINTER)
    return str(reference).removeprefix(_POINTER) if is_local else None


def _restored(shape: Shape) -> Mapping[str, Any]:
    if not shape.alternatives:
        return shape.schema
    return {**shape.schema, "oneOf": list(shape.alternatives)}


def _merge(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema for values of both; keys of `one` take precedence."""
    merged = {**other, **one}
    if "properties" in one and "properties" in other:
        first, second = one["properties"], other["properties"]
        both = {key: {"allOf": [first[key], second[key]]} for key in first.keys() & second.keys()}
        merged["properties"] = {**second, **first, **both}
    if "required" in one and "required" in other:
        merged["required"] = [*one["required"], *other["required"]]
    return merged


def _split_null(merged: Mapping[str, Any], name: str | None, nullable: bool, defs: Defs, depth: int) -> Shape:
    alternatives: tuple[Any, ...] = ()
    for key in _ALTERNATIVES:
        if key not in merged:
            continue
        given = merged[key]
        left = [each for each in given if not _is_null(each)]
        merged = {other: value for other, value in merged.items() if other != key}
        nullable = nullable or len(left) < len(given)
        if len(left) == 1:
            shape = _read(left[0], defs, depth + 1)
            name = name or (shape.name if merged.keys() <= _ANNOTATIONS else None)
            merged, nullable, alternatives = (
                _merge(merged, shape.schema),
                nullable or shape.nullable,
                shape.alternatives,
            )
        elif left:
            alternatives = tuple(left)
    declared = merged.get("type", ())
    named = {declared} if isinstance(declared, str) else {*declared}
    nullable = nullable or "null" in named or None in (merged.get("enum") or ())
    types = frozenset(named - {"null"}) or _implied_types(merged)
    return Shape(merged, name, nullable, alternatives, types)


def _is_null(schema: Any) -> bool:
    return isinstance(schema, Mapping) and (
        schema.get("type") in ("null", ["null"]) or schema.get("enum") == [None] or schema.get("const", 0) is None
    )


def _implied_types(schema: Mapping[str, Any]) -> frozenset[str]:
    found = {_type_of(value) for value in declared_values(schema) if value is not None}
    if not found:
        found = {name for key, name in (("properties", "object"), ("items", "array")) if key in schema}
    return frozenset(found)


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    names = {str: "string", float: "number", dict: "object", list: "array"}
    return names.get(type(value), "object")
