"""The inputs of an operation whose API describes them by one JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from adapter_host.schemas.standalone import StandaloneSchema

from .inputs import JSON_TYPES, Input, type_of

_PROPERTIES: Final = "properties"


def schema_inputs(schema: Mapping[str, Any], name: str) -> tuple[Input, ...]:
    """Return an input for each property of the schema (JSON Schema 2020-12) of an object.

    `name` is unique in the document: that of the operation with its namespace. Conditions on several properties are
    not part of the inputs, so the API checks these. Raise `ProblemsError` for an invalid schema.
    """
    properties = schema.get(_PROPERTIES)
    if not isinstance(properties, Mapping):
        return ()
    standalone = StandaloneSchema(schema, name)
    names = schema.get("required")
    required = frozenset(names if isinstance(names, list) else ())
    return tuple(_input(key, properties[key], standalone, key in required) for key in properties)


def _input(name: str, data: Any, standalone: StandaloneSchema, required: bool) -> Input:
    schema = standalone.resolve(_PROPERTIES, name)
    type_name = type_of(schema)
    description = data.get("description") if isinstance(data, Mapping) else None
    return Input(
        name=name,
        type=type_name if type_name in JSON_TYPES else None,
        required=required,
        description=description if isinstance(description, str) else None,
        json_schema=schema,
    )
