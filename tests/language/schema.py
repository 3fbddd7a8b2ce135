"""The official schemas, and documents generated from them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.support.paths import SHARED

FILES = {
    "1.0.0-alpha2": "naftiko-1.0.0-alpha2.schema.json",
    "1.0.0-beta5": "ikanos-1.0.0-beta5.schema.json",
}
ROOT = "Document"

Schema = dict[str, Any]


@cache
def schema_of(version: str) -> Schema:
    """Return the official schema of a version; skip the test if it is missing."""
    path = SHARED / "spec" / FILES[version]
    if not path.exists():
        pytest.skip(f"no official schema of {version} beside the repository")
    schema: Schema = json.loads(path.read_text())
    return schema


@cache
def validator_of(version: str) -> Any:
    """Return the validator of a version's official schema."""
    return jsonschema.Draft202012Validator(schema_of(version))


def published() -> list[Path]:
    """Return the published documents beside the repository."""
    patterns = ("corpus/**/*.y*ml", "tutorial/*.y*ml", "tutorial/shared/*")
    return sorted(path for pattern in patterns for path in SHARED.glob(pattern))


def definitions(version: str) -> Iterator[tuple[str, Schema]]:
    """Yield each named object of the language, and the document itself."""
    schema = schema_of(version)
    yield ROOT, {key: value for key, value in schema.items() if key != "$defs"}
    yield from schema["$defs"].items()


def fields(version: str) -> set[str]:
    """Return every field of every object, as `Object.field`; nameless objects are named by their field."""
    return {field for name, schema in definitions(version) for field in _fields(name, schema)}


def _fields(name: str, schema: Any) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    own = schema.get("properties", {})
    for key, value in own.items():
        yield f"{name}.{key}"
        yield from _fields(f"{name}.{key}", value)
    for key in ("allOf", "anyOf", "oneOf"):
        for option in schema.get(key, ()):
            closed = schema.get("additionalProperties") is False
            yield from (field for field in _fields(name, option) if not closed or field.split(".")[-1] in own)
    for key in ("items", "additionalProperties"):
        yield from _fields(name, schema.get(key))


def is_same(name: str) -> bool:
    """Return True if both versions define an object alike, except for descriptions."""
    first, second = ({name: _bare(schema) for name, schema in definitions(version)}.get(name) for version in FILES)
    return first == second


def _bare(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_bare(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    words = ("description", "title", "examples")
    return {key: _bare(item) for key, item in schema.items() if key not in words or isinstance(item, dict)}


def parts(version: str) -> set[str]:
    """Return every part of the language: the fields, and the definitions without fields."""
    properties = fields(version)
    having = {field.partition(".")[0] for field in properties}
    return properties | {name for name, _ in definitions(version) if name not in having}


TEXTS = [
    *("a", "A-1", "a_b*", "a.b", "A_KEY", "2026-01-31", "200", "2XX", "10MiB", "1.5KiB", "::1", "127.0.0.1"),
    *("text/plain", "a@example.org", "https://example.org", "http://{{x}}/a", "file:///a"),
]


@dataclass
class Sampler:
    """Generates documents from a schema, most of them valid; `seen` are the fields of the valid ones."""

    version: str
    choice: random.Random
    seen: set[str] = field(default_factory=set)
    _used: set[str] = field(default_factory=set)

    def document(self) -> Any:
        """Return one document."""
        self._used = set()
        root = {key: value for key, value in schema_of(self.version).items() if key != "$defs"}
        made = self._value([(ROOT, root)], 0)
        if validator_of(self.version).is_valid(made):
            self.seen |= self._used
        return made

    def _value(self, schemas: list[tuple[str, Any]], depth: int) -> Any:
        parts = [part for name, schema in schemas for part in self._flat(name, schema, depth)]
        merged: Schema = {}
        for _, part in parts:
            merged |= {key: value for key, value in part.items() if key != "type" or "type" not in merged}
        if "const" in merged:
            return merged["const"]
        if "enum" in merged:
            return self.choice.choice(merged["enum"])
        kind = merged.get("type", "object" if "properties" in merged else "string")
        kind = self.choice.choice(kind) if isinstance(kind, list) else kind
        if kind == "object":
            return self._object(parts, merged, depth)
        if kind == "array":
            return self._list(parts, merged, depth)
        return self._scalar(kind, merged)

    def _flat(self, name: str, schema: Any, depth: int) -> Iterator[tuple[str, Schema]]:
        """Yield the parts of a schema; of alternatives any one near the root, the first one far from it."""
        if not isinstance(schema, dict):
            return
        yield name, schema
        if "$ref" in schema:
            below = schema["$ref"].rpartition("/")[2]
            yield from self._flat(below, schema_of(self.version)["$defs"][below], depth)
        for part in schema.get("allOf", ()):
            yield from self._flat(name, part, depth)
        for key in ("oneOf", "anyOf"):
            if options := schema.get(key):
                chosen = self.choice.choice(options) if depth < 12 else options[0]
                yield from self._flat(name, chosen, depth)
                if key == "oneOf":
                    yield name, {"not": {"anyOf": [{"required": [key]} for key in _asked_elsewhere(options, chosen)]}}

    def _object(self, parts: list[tuple[str, Schema]], merged: Schema, depth: int) -> dict[str, Any]:
        properties: dict[str, list[tuple[str, Any]]] = {}
        for name, part in parts:
            for key, schema in part.get("properties", {}).items():
                properties.setdefault(key, []).append((name, schema))
        needed = {key for _, part in parts for key in part.get("required", ())}
        banned = {key for _, part in parts for key in self._banned(part.get("not", {}))}
        likely = {key for key in properties if self._likes(depth) or not self._has_seen(properties[key], key)}
        expected_keys = [key for key in properties if key in needed or key in likely - banned]
        made = {}
        for key in self.choice.sample(expected_keys, len(expected_keys)):
            self._used |= {f"{name}.{key}" for name, _ in properties[key]}
            made[key] = self._value([(f"{name}.{key}", schema) for name, schema in properties[key]], depth + 1)
        free = next((part for part in parts if isinstance(part[1].get("additionalProperties"), dict)), None)
        if free:
            names = self._texts(merged.get("propertyNames", {}))
            for key in self.choice.sample(names, min(len(names), self.choice.choice((1, 1, 2)))):
                made[key] = self._value([(free[0], free[1]["additionalProperties"])], depth + 1)
        return made

    def _list(self, parts: list[tuple[str, Schema]], merged: Schema, depth: int) -> list[Any]:
        items = [(name, part["items"]) for name, part in parts if "items" in part]
        length = self.choice.choice((1, 1, 2)) if self._likes(depth) else merged.get("minItems", 0)
        return [self._value(items, depth + 1) for _ in range(length)]

    def _scalar(self, kind: str, schema: Schema) -> Any:
        if kind == "boolean":
            return self.choice.choice((True, False))
        if kind in ("integer", "number"):
            return schema.get("minimum", 1)
        return self.choice.choice(self._texts(schema))

    def _texts(self, schema: Schema) -> list[str]:
        if "$ref" in schema:
            schema = schema_of(self.version)["$defs"][schema["$ref"].rpartition("/")[2]]
        texts = [text for text in TEXTS if re.search(schema.get("pattern", ""), text)]
        assert texts, f"no text fits {schema['pattern']}"
        return texts

    def _has_seen(self, schemas: list[tuple[str, Any]], key: str) -> bool:
        return self.seen.issuperset(f"{name}.{key}" for name, _ in schemas)

    def _likes(self, depth: int) -> bool:
        return self.choice.random() < 0.6 - depth / 40

    def _banned(self, schema: Schema) -> Iterator[str]:
        if keys := schema.get("required"):
            yield self.choice.choice(keys)
        for option in schema.get("anyOf", ()):
            yield from self._banned(option)


def _asked_elsewhere(options: list[Schema], chosen: Schema) -> set[str]:
    """Return the keys that other options of a choice require and the chosen one does not."""
    others = {key for option in options for key in option.get("required", ())}
    return others - {*chosen.get("required", ()), *chosen.get("properties", ())}
