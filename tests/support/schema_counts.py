"""Counts the contents of schemas: an independent reader of OpenAPI documents, and of the schemas that callers see."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

Data = dict[str, Any]
Resolve = Callable[[str], Any]

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch")
LIMITS: Final = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
)
_PARTS: Final = ("allOf", "anyOf", "oneOf")
_SINGLE: Final = ("items", "additionalProperties", "not", "if", "then", "else", "contentSchema", "propertyNames")
_NOT_SENT: Final = frozenset({"accept", "authorization", "content-type"})


def count_schema(schema: Any, resolve: Resolve, hidden: str) -> Counter[str]:
    """Return how many typed properties, enums, limits and defaults a schema has; each reference is followed once.

    `hidden` is the keyword of properties that are not counted: readOnly or writeOnly.
    """
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    remaining = [schema]
    while remaining:
        node = remaining.pop()
        if not isinstance(node, dict):
            continue
        if isinstance(reference := node.get("$ref"), str):
            if reference not in seen:
                seen.add(reference)
                remaining.append(resolve(reference))
            continue
        counts["enums"] += "enum" in node or "const" in node
        counts["limits"] += sum(isinstance(node.get(key), int | float) and node[key] is not True for key in LIMITS)
        counts["limits"] -= sum(node.get(key) is False for key in LIMITS)
        counts["items"] += "array" in (node.get("type") or ()) and "items" in node
        remaining += [node[key] for key in _SINGLE if key in node]
        remaining += [part for key in _PARTS for part in node.get(key) or ()]
        for name, part in (node.get("properties") or {}).items():
            value = target(part, resolve)
            if isinstance(value, dict) and True not in (value.get(hidden), part.get(hidden)):
                counts["properties"] += 1
                counts["typed"] += "type" in value
                counts[f"property {name}"] += 1
                remaining.append(part)
    return counts


def target(schema: Any, resolve: Resolve) -> Any:
    """Return the target of a reference; other values as they are."""
    for _ in range(20):
        if not isinstance(schema, dict) or not isinstance(schema.get("$ref"), str):
            return schema
        schema = resolve(schema["$ref"])
    return None


def pointer_in(document: Any) -> Resolve:
    """Return a function that finds the target of a local reference; None for others."""

    def resolve(reference: str) -> Any:
        value = document
        if not reference.startswith("#"):
            return None
        for key in reference[1:].split("/")[1:]:
            name = key.replace("~1", "/").replace("~0", "~").replace("%7B", "{").replace("%7D", "}")
            if isinstance(value, list):
                value = value[int(name)] if name.isdigit() and int(name) < len(value) else None
            else:
                value = value.get(name) if isinstance(value, dict) else None
        return value

    return resolve


def read(path: Path) -> Data:
    """Return a document with text keys."""
    text = path.read_text()
    data: Data = json.loads(text) if path.suffix == ".json" else _with_text_keys(yaml.safe_load(text))
    return data


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _with_text_keys(item) for key, item in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list) else value


def operations_of(document: Data) -> Iterator[tuple[str, str, Data, Data]]:
    """Yield path, method, path item and operation."""
    resolve = pointer_in(document)
    for path, item in document["paths"].items():
        entry = target(item, resolve)
        for method in METHODS:
            if isinstance(entry, dict) and isinstance(entry.get(method), dict):
                yield path, method, entry, entry[method]


def inputs_schema(document: Data, item: Data, operation: Data) -> Data:
    """Return the arguments of an operation, as the properties of one object."""
    resolve = pointer_in(document)
    parameters: dict[tuple[str, str], Data] = {}
    for declared in (*(operation.get("parameters") or ()), *(item.get("parameters") or ())):
        parameter = target(declared, resolve)
        if isinstance(parameter, dict):
            parameters.setdefault((str(parameter.get("name")), str(parameter.get("in"))), parameter)
    properties: Data = {}
    for (name, in_), parameter in parameters.items():
        if in_ == "header" and name.lower() in _NOT_SENT:
            continue
        schema = _parameter_schema(parameter, resolve)
        properties.update(schema["properties"] if in_ == "querystring" else {f"{in_} {name}": schema})
    body = target(operation.get("requestBody"), resolve)
    content = body.get("content") if isinstance(body, dict) else None
    if content:
        media_type = chosen(content)
        schema = (content[media_type] or {}).get("schema", {})
        properties.update(_body_properties(media_type, schema, resolve))
    return {"properties": properties}


def _parameter_schema(parameter: Data, resolve: Resolve) -> Any:
    if parameter.get("in") == "body" or "schema" in parameter:
        return parameter.get("schema", {})
    if content := parameter.get("content"):
        return (target(next(iter(content.values())), resolve) or {}).get("schema", {})
    return {key: value for key, value in parameter.items() if key not in ("required", "description", "name", "in")}


def chosen(content: Mapping[str, Any]) -> str:
    """Return the media type of a body that is sent: JSON before forms before others."""

    def rank(media_type: str) -> tuple[bool, bool]:
        bare = media_type.partition(";")[0].strip().lower()
        is_json = bare in ("application/json", "text/json", "*/*", "application/*") or bare.endswith("+json")
        return not is_json, bare not in ("application/x-www-form-urlencoded", "multipart/form-data")

    return sorted(content, key=rank)[0]


def _body_properties(media_type: str, schema: Any, resolve: Resolve) -> Data:
    if media_type.partition(";")[0] not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return {"body": schema}
    value = target(schema, resolve)
    return dict(value.get("properties") or {}) if isinstance(value, dict) else {}


def json_response(document: Data, operation: Data) -> Any:
    """Return the schema of the first successful response that is JSON; None without one."""
    resolve = pointer_in(document)
    responses = {code: target(value, resolve) for code, value in (operation.get("responses") or {}).items()}
    codes = sorted(code for code in responses if len(code) == 3 and code.startswith("2") and code.isdigit())
    code = next((code for code in (*codes, "2XX", "2xx", "default") if isinstance(responses.get(code), dict)), None)
    if code is None:
        return None
    if "swagger" in document:
        types = operation.get("produces", document.get("produces")) or ["application/json"]
        return responses[code].get("schema") if any("json" in name for name in types) else None
    content = responses[code].get("content") or {}
    names = [name for name in content if "json" in name and "ndjson" not in name and "jsonl" not in name]
    return (content[names[0]] or {}).get("schema") if names else None
