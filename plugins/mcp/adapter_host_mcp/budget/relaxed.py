"""The schema of results of which callers get a selection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from adapter_host import map_schemas

_BROKEN: Final = frozenset(
    {
        "required",
        "minProperties",
        "dependentRequired",
        "dependencies",
        "not",
        "if",
        "then",
        "else",
        "maxContains",
        "uniqueItems",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
"""Keywords that a value may meet only with fields that are left out of it."""


def relax_schema(schema: Any) -> Any:
    """Return a schema that a value of `schema` meets whichever of its fields are left out."""
    if not isinstance(schema, Mapping):
        return schema
    relaxed = map_schemas({key: value for key, value in schema.items() if key not in _BROKEN}, relax_schema)
    for key in ("enum", "const"):
        values = relaxed.get(key) if key == "enum" else [relaxed.get(key)]
        if any(isinstance(value, dict | list) for value in values or ()):
            del relaxed[key]
    if "oneOf" in relaxed:
        # Without some fields, a value may meet several.
        relaxed["allOf"] = [*relaxed.get("allOf", ()), {"anyOf": relaxed.pop("oneOf")}]
    return relaxed
