"""The keys and values that the JSON Schema of the language has at a place of a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from adapter_host.document.nodes import Loc
from adapter_host.schemas.references import DEFS, DEFS_POINTER
from adapter_host.schemas.validator import compile_validator
from adapter_host.schemas.violations import Validator

from .cursor import value_at

_DEEPEST: Final = 50

Schema = Mapping[str, Any]


@dataclass(slots=True)
class SchemaWalk:
    """Finds the parts of a schema that apply to the values of a document."""

    schema: Schema
    _conditions: dict[int, Validator] = field(default_factory=dict)

    def keys(self, document: Any, loc: Loc) -> dict[str, str]:
        """Return the keys that a mapping at a place may have, with their descriptions."""
        keys: dict[str, str] = {}
        for schema in self._at(document, loc):
            for name, value in schema.get("properties", {}).items():
                description = self._description(value)
                keys[name] = keys.get(name) or description
        return keys

    def values(self, document: Any, loc: Loc) -> list[str]:
        """Return the values that the schema names for a place, as text."""
        values: dict[str, None] = {}
        for schema in self._at(document, loc):
            named = [*schema.get("enum", ()), *((schema["const"],) if "const" in schema else ())]
            values.update((text, None) for value in (*named, *schema.get("examples", ())) if (text := _text(value)))
            if schema.get("type") == "boolean":
                values.update({"true": None, "false": None})
        return list(values)

    def is_mapping(self, document: Any, loc: Loc) -> bool:
        """Return whether a value at a place may be a mapping with known keys."""
        return any(schema.get("properties") for schema in self._at(document, loc))

    def _at(self, document: Any, loc: Loc) -> list[Schema]:
        schemas, value = list(self._parts(self.schema, document, 0)), document
        for key in loc:
            value = value_at(value, (key,))
            found = [child for schema in schemas if (child := _child_schema(schema, key)) is not None]
            schemas = [part for schema in found for part in self._parts(schema, value, 0)]
        return schemas

    def _parts(self, schema: Any, value: Any, depth: int) -> Iterator[Schema]:
        """Yield a schema and the schemas in it that apply to the same value; those of `anyOf` may."""
        if not isinstance(schema, dict) or depth > _DEEPEST:
            return
        yield schema
        inner: list[Any] = [*schema.get("allOf", ()), *schema.get("anyOf", ()), *schema.get("oneOf", ())]
        if "$ref" in schema:
            inner.append(self._definition(schema["$ref"]))
        if "if" in schema:
            inner.append(schema.get("then" if self._holds(schema["if"], value) else "else"))
        for part in inner:
            yield from self._parts(part, value, depth + 1)

    def _definition(self, reference: str) -> Any:
        return self.schema[DEFS].get(reference.removeprefix(DEFS_POINTER))

    def _holds(self, condition: Schema, value: Any) -> bool:
        if id(condition) not in self._conditions:
            self._conditions[id(condition)] = compile_validator({**condition, DEFS: self.schema[DEFS]})
        return not self._conditions[id(condition)](value)

    def _description(self, schema: Any) -> str:
        described = (part["description"] for part in self._parts(schema, None, 0) if part.get("description"))
        return str(next(described, ""))


def _child_schema(schema: Schema, key: str | int) -> Any:
    if isinstance(key, int):
        return schema.get("items")
    properties = schema.get("properties", {})
    return properties[key] if key in properties else schema.get("additionalProperties")


def _text(value: Any) -> str:
    """Return a value as it is written, or an empty text for one without a scalar."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""
