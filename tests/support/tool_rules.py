"""The rules of the providers' APIs and of clients for tools: a list of violations per tool.

Written from the providers' documents and from the errors of their APIs: it shares no code with the package.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
from jsonschema import Draft202012Validator

METASCHEMA = jsonschema_rs.Draft202012Validator(Draft202012Validator.META_SCHEMA)

TOOL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,63}")
"""OpenAI and Anthropic allow no dot, Gemini no digit or hyphen at the start."""

PROPERTY_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,64}")

TYPES = {"object", "array", "string", "number", "integer", "boolean", "null"}

KEYWORDS = {
    "object": {"properties", "required", "additionalProperties", "minProperties", "maxProperties"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"enum", "minLength", "maxLength", "pattern", "format"},
    "number": {"minimum", "maximum"},
    "integer": {"minimum", "maximum"},
    "boolean": set(),
    "null": set(),
}

UNSHARED_SYNTAX = re.compile(r"\(\?(?!:)|\\[1-9]|\\[pPkAZzGhHKQEuUxcN]|\[\[:|[*+?}]\+|\\[-_ '\"#@:;,=<>!&%~`]")
"""Syntax of patterns that ECMA-262, Python or RE2 lack: lookaround, named groups, back references, properties."""

LONGEST_DESCRIPTION = 1024
DEEPEST = 10
MOST_PARTS = 1_500


def tool_violations(tool: Mapping[str, Any]) -> list[str]:
    """Return the parts of an entry of `tools/list` that APIs and clients would refuse."""
    found = []
    if not TOOL_NAME.fullmatch(tool["name"]):
        found.append(f"the name {tool['name']!r}")
    if len(tool.get("description", "")) > LONGEST_DESCRIPTION:
        found.append(f"a description of {len(tool['description'])} characters")
    found += [f"inputSchema{violation}" for violation in input_violations(tool["inputSchema"])]
    if (output := tool.get("outputSchema")) is not None:
        found += [f"outputSchema{violation}" for violation in output_violations(output)]
    return found


def input_violations(schema: Any) -> list[str]:
    """Return the violations of a tool's `inputSchema`, each with its place."""
    found = list(_metaschema(schema))
    if not isinstance(schema, dict) or schema.get("type") != "object" or not isinstance(schema.get("properties"), dict):
        return [*found, ": the root is no object with properties"]
    found += [f": {key} at the root" for key in ("anyOf", "oneOf", "allOf", "not", "enum", "if") if key in schema]
    found += _part(schema, "", 0)
    size = sum(1 for _ in _parts(schema))
    return [*found, f": {size} parts"] if size > MOST_PARTS else found


def output_violations(schema: Any) -> list[str]:
    """Return the violations of a tool's `outputSchema`, which clients compile."""
    found = list(_metaschema(schema))
    for part in _parts(schema):
        found += [f": {key}" for key in ("$ref", "$defs", "$dynamicRef", "$schema", "$id") if key in part]
        if "pattern" in part:
            found += _pattern(part["pattern"], "")
    return found


def _metaschema(schema: Any) -> Iterator[str]:
    try:
        json.dumps(schema, allow_nan=False)
        METASCHEMA.validate(schema)
    except jsonschema_rs.ValidationError as error:
        yield f": not a schema of 2020-12: {error.message}"
    except (TypeError, ValueError) as error:
        yield f": not JSON: {error}"


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(schema, dict):
        return
    yield schema
    children = [*schema.get("properties", {}).values(), *schema.get("anyOf", ()), schema.get("items")]
    for child in [*children, schema.get("additionalProperties")]:
        yield from _parts(child)


def _part(schema: Any, place: str, depth: int) -> Iterator[str]:
    if not isinstance(schema, dict) or not schema:
        yield f"{place}: not described"
        return
    if "anyOf" in schema:
        yield from _choice(schema, place, depth)
        return
    kind = schema.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        yield f"{place}: the type {kind!r}"
        return
    if unknown := schema.keys() - KEYWORDS[kind] - {"type", "description", "default"}:
        yield f"{place}: {', '.join(sorted(unknown))} in {kind}"
    if kind in ("object", "array") and depth > DEEPEST + 3:
        yield f"{place}: nested too deeply"
    yield from _scalar(schema, place)
    if kind == "object":
        yield from _object(schema, place, depth)
    if kind == "array":
        if "items" not in schema:
            yield f"{place}: array without items"
        else:
            yield from _part(schema["items"], f"{place}.items", depth + 1)


def _choice(schema: Mapping[str, Any], place: str, depth: int) -> Iterator[str]:
    if unknown := schema.keys() - {"anyOf", "description", "default"}:
        yield f"{place}: {', '.join(sorted(unknown))} beside anyOf"
    if len(schema["anyOf"]) < 2:
        yield f"{place}: anyOf with one alternative"
    for index, option in enumerate(schema["anyOf"]):
        if "anyOf" in option:
            yield f"{place}: anyOf in anyOf"
        yield from _part(option, f"{place}.anyOf[{index}]", depth)


def _scalar(schema: Mapping[str, Any], place: str) -> Iterator[str]:
    values = schema.get("enum", ["one"])
    if not values or not all(isinstance(value, str) and value for value in values) or len(set(values)) < len(values):
        yield f"{place}: enum {values!r}"
    if schema.get("format", "date-time") != "date-time":
        yield f"{place}: format {schema['format']!r}"
    if "pattern" in schema:
        yield from _pattern(schema["pattern"], place)
    for key in ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"):
        if abs(schema.get(key, 0)) >= 2**63:
            yield f"{place}: {key} of more than 64 bits"


def _pattern(pattern: str, place: str) -> Iterator[str]:
    try:
        re.compile(pattern)
    except re.error:
        yield f"{place}: pattern {pattern!r}"
        return
    # Inside a character class a hyphen may be escaped.
    if UNSHARED_SYNTAX.search(re.sub(r"\[(?:\\.|[^\]\\])*\]", "[a]", pattern)):
        yield f"{place}: pattern {pattern!r}"


def _object(schema: Mapping[str, Any], place: str, depth: int) -> Iterator[str]:
    properties = schema.get("properties", {})
    if place and "properties" in schema and not properties:
        yield f"{place}: empty properties"
    if missing := set(schema.get("required", ())) - properties.keys():
        yield f"{place}: required and not in properties: {', '.join(sorted(missing))}"
    for name, child in properties.items():
        if not PROPERTY_NAME.fullmatch(name):
            yield f"{place}: the property name {name!r}"
        yield from _part(child, f"{place}.{name}", depth + 1)
    if not isinstance(additional := schema.get("additionalProperties", True), bool):
        yield from _part(additional, f"{place}.*", depth + 1)
