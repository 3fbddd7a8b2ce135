"""The contents of an OpenAPI document, as facts that two documents can be compared by."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from .schema_counts import LIMITS, Resolve, chosen, json_response, pointer_in, target

Data = dict[str, Any]
Facts = set[tuple[str, str, str]]

_VALUES: Final = ("const", "default", "format", "pattern", "uniqueItems")
_ONE: Final = (
    "items",
    "additionalProperties",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "unevaluatedProperties",
    "contentSchema",
)
_MANY: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_BY_NAME: Final = ("properties", "patternProperties")


def schema_facts(schema: Any, resolve: Resolve, hidden: str) -> Facts:
    """Return the facts of a schema and of those in it, each with its place; a recursion is not entered.

    The dialects of OpenAPI 2.0 and 3.0 are read as JSON Schema. `hidden` properties are left out.
    """
    return set(_schema_facts(schema, resolve, hidden, "", ()))


def _schema_facts(
    schema: Any, resolve: Resolve, hidden: str, place: str, seen: tuple[str, ...]
) -> Iterator[tuple[str, str, str]]:
    references: tuple[str, ...] = ()
    while isinstance(schema, dict) and isinstance(reference := schema.get("$ref"), str):
        name = reference.rsplit("/", 1)[-1]
        if name in seen or reference in references:
            return
        references = (*references, reference)
        seen = (*seen, name)
        beside = {key: value for key, value in schema.items() if key not in ("$ref", "description", "summary")}
        for key, value in beside.items():
            yield from _schema_facts({key: value}, resolve, hidden, place, seen)
        schema = resolve(reference)
    if isinstance(schema, bool):
        yield place, "boolean", str(schema)
    if not isinstance(schema, dict):
        return
    hidden_names = {
        name for name, part in (schema.get("properties") or {}).items() if (target(part, resolve) or {}).get(hidden)
    }
    is_null = schema.get("nullable") is True or schema.get("x-nullable") is True
    yield from _own_facts(schema, place, hidden_names, is_null)
    for key in _ONE:
        if key in schema and not isinstance(schema[key], list):
            yield from _schema_facts(schema[key], resolve, hidden, f"{place}/{key}", seen)
    for key in _MANY:
        for index, part in enumerate(schema.get(key) or ()):
            yield from _schema_facts(part, resolve, hidden, f"{place}/{key}/{index}", seen)
    for key in _BY_NAME:
        for name, part in (schema.get(key) or {}).items():
            if name not in hidden_names:
                yield f"{place}/{name}", "is", key
                yield from _schema_facts(part, resolve, hidden, f"{place}/{name}", seen)


def _own_facts(
    schema: Mapping[str, Any], place: str, hidden: set[str], is_null: bool
) -> Iterator[tuple[str, str, str]]:
    declared = schema.get("type")
    types = {declared} if isinstance(declared, str) else set(declared or ())
    null = {"null"} if is_null and types else set()
    if types:
        yield place, "type", str(sorted(types | null))
    if "enum" in schema:
        yield place, "enum", str(sorted({json.dumps(value, sort_keys=True) for value in schema["enum"]} | null))
    for key in _VALUES:
        if key in schema and schema[key] is not False and schema[key] != "binary":
            yield place, key, json.dumps(schema[key], sort_keys=True)
    if schema.get("format") == "binary" or ("contentMediaType" in schema and "contentSchema" not in schema):
        yield place, "is", "bytes"
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if schema.get(exclusive) is True and bound in schema:
            yield place, exclusive, str(float(schema[bound]))
    for key in LIMITS:
        is_flagged = schema.get({"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"}.get(key, "")) is True
        if isinstance(schema.get(key), int | float) and not isinstance(schema[key], bool) and not is_flagged:
            yield place, key, str(float(schema[key]))
    for name in schema.get("required") or () if isinstance(schema.get("required"), list) else ():
        if name not in hidden:
            yield place, "required", name


def operation_facts(document: Data, item: Data, operation: Data, media_type: str | None = None) -> Facts:
    """Return the facts of an operation's parameters, and of its body and responses.

    The body is that of a media type, or of the one that an importer would choose.
    """
    resolve = pointer_in(document)
    facts: Facts = set()
    parameters: dict[tuple[str, str], Data] = {}
    for declared in (*(operation.get("parameters") or ()), *(item.get("parameters") or ())):
        parameter = target(declared, resolve)
        parameters.setdefault((parameter["name"], parameter["in"]), parameter)
    for (name, in_), parameter in parameters.items():
        if in_ == "querystring":
            (entry,) = parameter["content"].values()
            required = entry["schema"].get("required", [])
            facts |= {(f"query {name}", "required", str(name in required)) for name in entry["schema"]["properties"]}
            for name, schema in entry["schema"]["properties"].items():
                facts |= _at(f"query {name}", schema_facts(schema, resolve, "readOnly"))
        elif in_ != "body":
            facts.add((f"{in_} {name}", "required", str(parameter.get("required", False) or in_ == "path")))
            facts |= _at(f"{in_} {name}", _parameter_facts(parameter, resolve))
    facts |= _body_facts(target(operation.get("requestBody"), resolve), resolve, media_type)
    if response := json_response(document, operation):
        facts |= _at("response", schema_facts(response, resolve, "writeOnly"))
    return facts


def body_media_type(document: Data, operation: Data) -> str | None:
    """Return the media type of an operation's body that an importer would choose; None without a body."""
    body = target(operation.get("requestBody"), pointer_in(document))
    return chosen(body["content"]) if body and body.get("content") else None


def _at(place: str, facts: Iterable[tuple[str, str, str]]) -> Facts:
    return {(f"{place}{below}", key, value) for below, key, value in facts}


def _body_facts(body: Data | None, resolve: Resolve, media_type: str | None) -> Facts:
    if not body or not body.get("content"):
        return set()
    if media_type is None or media_type not in body["content"]:
        media_type = chosen(body["content"])
    entry = body["content"][media_type] or {}
    facts = _at("body", schema_facts(entry.get("schema", {}), resolve, "readOnly"))
    # A form with a required field is required itself.
    is_required = bool(body.get("required")) or (
        "form" in media_type and ("body", "required") in {f[:2] for f in facts}
    )
    return {*facts, ("body", "media type", media_type), ("body", "is required", str(is_required))}


def _parameter_facts(parameter: Data, resolve: Resolve) -> Iterator[tuple[str, str, str]]:
    style = parameter.get("style", "form" if parameter["in"] in ("query", "cookie") else "simple")
    schema = parameter.get("schema")
    if schema is None:
        media_type, entry = next(iter((parameter.get("content") or {"": {}}).items()))
        yield "", "content", media_type
        schema = (target(entry, resolve) or {}).get("schema", {})
    elif "array" in str(target(schema, resolve)) or "object" in str(target(schema, resolve)):
        yield "", "style", style
        if style != "deepObject":
            yield "", "explode", str(parameter.get("explode", style in ("form", "cookie")))
    yield from schema_facts(schema, resolve, "readOnly")
