"""Sample data for mock servers, from a JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .references import DEFS, referenced

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

    Keywords that restrict texts and relations between properties are not considered.
    """
    return _sample(schema, "sample", schema.get(DEFS, {}), 0)


def _sample(schema: Any, name: str, defs: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return None
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("examples", "enum"):
        if isinstance(schema.get(key), list) and schema[key]:
            return schema[key][0]
    target = referenced(schema, defs)
    alternatives = schema.get("anyOf") or schema.get("oneOf") or ()
    parts = [target, *alternatives[:1], *schema.get("allOf", ())]
    samples = [_sample(part, name, defs, depth + 1) for part in parts if part is not None]
    own = _of_type(schema, name, defs, depth)
    objects = [sample for sample in (*samples, own) if isinstance(sample, dict)]
    if objects:
        return {key: value for sample in objects for key, value in sample.items()}
    return samples[0] if samples else own


def _of_type(schema: Mapping[str, Any], name: str, defs: Mapping[str, Any], depth: int) -> Any:
    types = schema.get("type", "object" if "properties" in schema else "string")
    type_name = types[0] if isinstance(types, list) and types else types
    if type_name == "object":
        properties = schema.get("properties", {})
        return {key: _sample(part, key, defs, depth + 1) for key, part in properties.items()}
    if type_name == "array":
        items = _sample(schema.get("items", {}), name, defs, depth + 1)
        return [items] * max(1, schema.get("minItems", 1))
    if type_name in ("integer", "number"):
        return schema.get("minimum", 1 if type_name == "integer" else 1.5)
    if type_name == "boolean":
        return True
    if type_name == "null":
        return None
    return _FORMATS.get(schema.get("format", ""), name)
