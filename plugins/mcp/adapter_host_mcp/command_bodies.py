"""Fields of a JSON body as arguments of their own, as the tools of an MCP server have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_COMBINED: Final = frozenset({"$ref", "$defs", "allOf", "anyOf", "oneOf"})


def lift_fields(schema: Schema, body: str | None) -> Schema:
    """Return the schema of a tool with the fields of its body in the place of the argument `body`.

    It is unchanged if they are not known, or have names of other arguments.
    """
    if body is None or not _fields(schema, body):
        return schema
    others = {name: each for name, each in schema["properties"].items() if name != body}
    required = schema.get("required", ())
    inner = schema["properties"][body].get("required", ()) if body in required else ()
    lifted = {"properties": {**others, **_fields(schema, body)}, "required": [*(set(required) - {body}), *inner]}
    return {**schema, **lifted}


def gather_fields(arguments: Mapping[str, Any], schema: Schema, body: str | None) -> dict[str, Any]:
    """Return the arguments of a tool for those of the schema that `lift_fields` returns, or for its own."""
    fields = {} if body is None or body in arguments else _fields(schema, body)
    inner = {name: value for name, value in arguments.items() if name in fields}
    outer = {name: value for name, value in arguments.items() if name not in fields}
    is_sent = bool(inner) or (bool(fields) and body in schema.get("required", ()))
    return {**outer, body: inner} if body is not None and is_sent else outer


def _fields(schema: Schema, body: str) -> Schema:
    properties = schema.get("properties", {})
    described = properties.get(body)
    if not isinstance(described, dict) or not _COMBINED.isdisjoint(described):
        return {}
    fields: Schema = described.get("properties", {})
    return fields if fields.keys().isdisjoint(properties) else {}
