"""The other forms of a part in older and later versions of the language, as schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from adapter_host.schemas.references import DEFS_POINTER

Schema = dict[str, Any]

_ALIASES: Final = {"label": "display", "targetName": "target", "functions": "flows", "authentication": "auth"}
_API_KEY_ALIASES: Final = {"placement": "in", "key": "name"}
_NAMED_LISTS: Final = frozenset(
    {
        "arguments", "functions", "inputParameters", "operations", "outputParameters", "prompts", "resources",
        "skills", "steps", "tools",
    }
)  # fmt: skip
"""Lists that may also be mappings from the names of their entries."""

_HEADERS: Final[Schema] = {"type": ["object", "array", "null"]}
_NAMED_OUTPUTS: Final[Schema] = {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["name"]}}


def add_forms(definitions: Mapping[str, Schema]) -> None:
    """Add the forms of all versions to the schemas of models."""
    named: set[str] = set()
    for schema in definitions.values():
        properties = schema.get("properties", {})
        for key in _NAMED_LISTS & properties.keys():
            properties[key], names = _with_mapping(properties[key], definitions)
            named |= names
    for name in named:
        definitions[name]["required"] = [key for key in definitions[name].get("required", ()) if key != "name"]
    for schema in definitions.values():
        _add_keys(schema)


def _add_keys(schema: Schema) -> None:
    properties = schema.get("properties", {})
    aliases = _ALIASES if "placement" not in properties else {**_ALIASES, **_API_KEY_ALIASES}
    if {"in", "value"} <= properties.keys():
        aliases = {**aliases, "value": "const"}
    for key, alias in aliases.items():
        if key in properties:
            properties.setdefault(alias, properties[key])
            if key in schema.get("required", ()):
                schema["required"] = [other for other in schema["required"] if other != key]
                schema.setdefault("allOf", []).append({"anyOf": [{"required": [key]}, {"required": [alias]}]})
    if {"mapping", "properties"} <= properties.keys():
        # The nested form of the oldest versions, and named outputs as a list.
        properties["mapping"] = {"anyOf": [properties["mapping"], {"type": "object"}]}
        properties["properties"] = {"anyOf": [properties["properties"], _NAMED_OUTPUTS]}


def _with_mapping(schema: Schema, definitions: Mapping[str, Schema]) -> tuple[Schema, set[str]]:
    """Return the schema of a list of named entries or of a mapping, and the definitions whose name may be the key."""
    entry = next((part["items"] for part in _parts(schema) if part.get("type") == "array" and "items" in part), None)
    if entry is None:
        return schema, set()
    references = {_referenced(part) for part in _parts(entry)}
    names = {name for name in references if name is not None and name in definitions}
    requiring = {name for name in names if "name" in definitions[name].get("required", ())}
    others = [set(definitions[name].get("required", ())) - {"name"} for name in names]
    values = [entry] if others and all(others) else [entry, {"type": "null"}]
    listed = {"allOf": [entry], "required": ["name"]} if requiring == names and names else entry
    kept = [part if part.get("type") != "array" else {**part, "items": listed} for part in _parts(schema)]
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "type", "items")}
    return {**rest, "anyOf": [*kept, {"type": "object", "additionalProperties": {"anyOf": values}}]}, requiring


def add_headers(definitions: Mapping[str, Schema], root: str) -> None:
    """Add `headers`, which become constant inputs, to the parts of a consumed HTTP API."""
    for name in reachable(definitions, root):
        if "inputParameters" in (properties := definitions[name].get("properties", {})):
            properties.setdefault("headers", _HEADERS)


def reachable(definitions: Mapping[str, Schema], root: str) -> set[str]:
    """Return the names of the definitions that a definition refers to, and its own."""
    found: set[str] = set()
    pending = [root]
    while pending:
        name = pending.pop()
        if name in definitions and name not in found:
            found.add(name)
            pending += references(definitions[name])
    return found


def references(schema: Any) -> Iterator[str]:
    """Yield the names of the definitions that a schema refers to."""
    if isinstance(schema, dict):
        if (name := _referenced(schema)) is not None:
            yield name
        schema = list(schema.values())
    for child in schema if isinstance(schema, list) else ():
        yield from references(child)


def _referenced(schema: Schema) -> str | None:
    reference = schema.get("$ref")
    return reference.removeprefix(DEFS_POINTER) if isinstance(reference, str) else None


def _parts(schema: Schema) -> list[Schema]:
    """Return the alternatives of a schema, or the schema itself."""
    parts: list[Schema] = schema.get("anyOf") or [schema]
    return [inner for part in parts for inner in (_parts(part) if "anyOf" in part else [part])]
