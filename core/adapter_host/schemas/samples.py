"""Sample data for mock servers, from a JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from .references import DEFS, referenced
from .sample_budget import SampleBudget

_NO_SAMPLE: Final = object()
"""Marks a value that is left out, as null may be one."""

_MAX_DEPTH: Final = 8
_FORMATS: Final = {
    "date": "2026-05-19",
    "date-time": "2026-05-19T12:00:00Z",
    "time": "12:00:00Z",
    "uri": "https://example.com",
    "email": "ada@example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def sample_of(schema: Mapping[str, Any]) -> Any:
    """Return data of a schema (JSON Schema 2020-12): its examples if it has some; the name of a property is its text.

    Keywords that restrict texts and relations between properties are not considered. At most 100 values are generated;
    properties and elements beyond these, and those of a schema within itself, are left out.
    """
    sample = _SampleBuilder(schema.get(DEFS, {})).sample(schema, "sample", 0, frozenset())
    return None if sample is _NO_SAMPLE else sample


class _SampleBuilder:
    """Builds one sample; `within` are the identities of the schemas around the one that is read."""

    def __init__(self, defs: Mapping[str, Any]) -> None:
        self._defs = defs
        self._budget = SampleBudget(_MAX_DEPTH)

    def sample(self, schema: Any, name: str, depth: int, within: frozenset[int]) -> Any:
        if schema is True:
            schema = {}
        if not isinstance(schema, Mapping) or id(schema) in within or not self._budget.take(depth):
            return _NO_SAMPLE
        if (declared := _declared(schema)) is not _NO_SAMPLE:
            return declared
        within |= {id(schema)}
        parts = [part for part in self._parts(schema) if part is not None]
        has_own = not parts or "type" in schema or "properties" in schema
        own = self._of_type(schema, name, depth, within) if has_own else _NO_SAMPLE
        samples = [self.sample(part, name, depth + 1, within) for part in parts]
        objects = [sample for sample in (*samples, own) if isinstance(sample, dict)]
        if objects:
            return {key: value for sample in objects for key, value in sample.items()}
        return next((sample for sample in (*samples, own) if sample is not _NO_SAMPLE), _NO_SAMPLE)

    def _parts(self, schema: Mapping[str, Any]) -> Iterator[Any]:
        """Yield the schemas that a value of a schema must also be of; of alternatives the first."""
        yield referenced(schema, self._defs)
        yield from (schema.get("anyOf") or schema.get("oneOf") or ())[:1]
        yield from schema.get("allOf", ())

    def _of_type(self, schema: Mapping[str, Any], name: str, depth: int, within: frozenset[int]) -> Any:
        types = schema.get("type", "object" if "properties" in schema else "string")
        type_name = types[0] if isinstance(types, list) and types else types
        if type_name == "object":
            return self._object(schema.get("properties", {}), depth, within)
        if type_name == "array":
            return self._array(schema, name, depth, within)
        if type_name in ("integer", "number"):
            return schema.get("minimum", 1 if type_name == "integer" else 1.5)
        if type_name == "boolean":
            return True
        if type_name == "null":
            return None
        return _FORMATS.get(schema.get("format", ""), name)

    def _object(self, properties: Mapping[str, Any], depth: int, within: frozenset[int]) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for key, part in properties.items():
            if self._budget.is_spent:
                break
            if (value := self.sample(part, key, depth + 1, within)) is not _NO_SAMPLE:
                members[key] = value
        return members

    def _array(self, schema: Mapping[str, Any], name: str, depth: int, within: frozenset[int]) -> list[Any]:
        before = self._budget.spent
        element = self.sample(schema.get("items", {}), name, depth + 1, within)
        if element is _NO_SAMPLE:
            return []
        elements, cost = [element], self._budget.spent - before
        while len(elements) < schema.get("minItems", 1) and self._budget.take(depth + 1, cost):
            elements.append(element)
        return elements


def _declared(schema: Mapping[str, Any]) -> Any:
    """Return a value that the schema names, or _NO_SAMPLE."""
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("examples", "enum"):
        if isinstance(schema.get(key), list) and schema[key]:
            return schema[key][0]
    return _NO_SAMPLE
