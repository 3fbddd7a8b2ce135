"""Convert the schemas of a document to JSON Schema 2020-12; those that references name are shared."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any, Final

from adapter_host.document.nodes import Loc
from adapter_host.openapi.model import Place
from adapter_host.openapi.source.documents import Cursor

from .json_values import NO_VALUE, json_size
from .schema_keywords import KEYWORDS, read_discriminator, read_type

SHARED: Final = "x-schemas"
"""The key of shared schemas in a capability."""

POINTER: Final = f"#/{SHARED}/"
"""The start of references to shared schemas."""

MAX_INLINE: Final = 16
"""The most schemas within one another; what is below becomes a shared schema, as files may not nest without end."""

_NOT_NAMES: Final = KEYWORDS.keys() | {"schema", "schemas", "content", "parameters", "components", "definitions"}
_BESIDE_REFERENCES: Final = frozenset({"$ref", "summary", "description"})
"""Keys beside a reference that do not restrict values."""
_ANNOTATIONS: Final = ("title", "description", "default", "examples", "readOnly", "writeOnly", "deprecated")

Data = dict[str, Any]


class SchemaConverter:
    """Converts schemas; `shared` are the converted ones that references lead to, by name.

    With `extends_references`, keywords beside a `$ref` have an effect, as in OpenAPI 3.1.
    """

    def __init__(self, *, extends_references: bool) -> None:
        self.shared: Data = {}
        self.places: dict[str, Place] = {}
        """The places of the shared ones in the document."""
        self._extends_references = extends_references
        self._names: dict[tuple[str, Loc], str] = {}
        self._pending: list[tuple[str, Cursor]] = []

    def convert(self, schema: Cursor) -> Any:
        """Return the schema at a cursor whose references are not followed, and convert those that it refers to."""
        converted = self._convert(schema, 0)
        schema.count_text(json_size(converted))
        while self._pending:
            name, target = self._pending.pop()
            self.shared[name] = shared = self._convert(target, 0)
            target.count_text(json_size(shared))
        return converted

    def _convert(self, schema: Cursor, depth: int) -> Any:
        value = schema.value
        if isinstance(value, bool):
            return value
        if not isinstance(value, dict):
            schema.warn("expected a schema; skipped")
            return {}
        reference = value.get("$ref", value.get("$dynamicRef"))
        if isinstance(reference, str):
            return self._reference(schema, reference, depth)
        if depth == MAX_INLINE:
            return self._share(schema)
        return self._keywords(schema, depth)

    def _reference(self, schema: Cursor, reference: str, depth: int) -> Data:
        target = self._target(schema, reference)
        if target is None:
            return {}
        if not isinstance(target.value, dict | bool):
            schema.warn(f"the reference '{reference}' does not lead to a schema; skipped")
            return {}
        beside = {key: item for key, item in schema.value.items() if key not in ("$ref", "$dynamicRef")}
        if not self._extends_references:
            beside = {key: item for key, item in beside.items() if key == "description"}
        holder = Cursor(schema.documents, schema.document, schema.loc, beside)
        own = self._keywords(holder, depth) if depth < MAX_INLINE else {}
        return {**self._share(target), **own}

    def _target(self, schema: Cursor, reference: str) -> Cursor | None:
        """Return the schema that a reference leads to: the first on the way that says something itself."""
        target = schema.target(reference)
        if target is None or not self._extends_references:
            return target
        step = Cursor(schema.documents, schema.document, schema.loc, {"$ref": reference})
        while isinstance(step.value, dict) and isinstance(step.value.get("$ref"), str):
            step = schema.documents.next_target(step)
            if isinstance(step.value, dict) and "$ref" in step.value and step.value.keys() - _BESIDE_REFERENCES:
                return step
        return target

    def _share(self, target: Cursor) -> Data:
        """Return a reference to the shared schema of a value, which is converted later."""
        name = self._names.get(target.identity)
        if name is None:
            name = self._names[target.identity] = self._unused_name(target)
            self.shared[name] = {}
            self.places[name] = target.place
            self._pending.append((name, target))
        return {"$ref": f"{POINTER}{name}"}

    def _unused_name(self, target: Cursor) -> str:
        keys = (str(key) for key in reversed(target.loc) if isinstance(key, str) and key not in _NOT_NAMES)
        words = next(keys, None) or PurePosixPath(target.document.name).stem
        base = re.sub(r"[^A-Za-z0-9_.-]+", "-", words).strip("-") or "Schema"
        name, count = base, 2
        while name in self.shared:
            name, count = f"{base}-{count}", count + 1
        return name

    def _keywords(self, schema: Cursor, depth: int) -> Data:
        def convert(below: Cursor) -> Any:
            return self._convert(below, depth + 1)

        converted: Data = {}
        if "type" in schema.value and (types := read_type(schema.raw("type"))) is not None:
            converted["type"] = types
        if schema.value.get("type") == "file":
            converted["format"] = "binary"
        for key, read in KEYWORDS.items():
            if key not in schema.value:
                continue
            cursor = schema.raw(key)
            if key == "items" and isinstance(cursor.value, list):
                # A tuple, as JSON Schema wrote it before 2020-12.
                key, read = "prefixItems", KEYWORDS["prefixItems"]
            if (result := read(cursor, convert)) is not NO_VALUE:
                converted["examples" if key == "example" else key] = result
        if "discriminator" in schema.value:
            result = read_discriminator(schema.raw("discriminator"), convert)
            converted.update({} if result is NO_VALUE else {"discriminator": result})
        _normalise_bounds(converted)
        is_nullable = schema.flag("nullable") or schema.flag("x-nullable")
        return _nullable(converted) if is_nullable else converted


def _normalise_bounds(schema: Data) -> None:
    """Replace flags, which OpenAPI 3.0 and before have for exclusive bounds, by the bounds."""
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        flag = schema.get(exclusive)
        if isinstance(flag, bool):
            del schema[exclusive]
            if flag and bound in schema:
                schema[exclusive] = schema.pop(bound)


def _nullable(schema: Data) -> Data:
    """Return a schema that accepts null, too."""
    types = schema.get("type")
    if types is None:
        if not schema.keys() - set(_ANNOTATIONS):
            return schema
        annotations: Data = {key: schema[key] for key in _ANNOTATIONS if key in schema}
        rest = {key: value for key, value in schema.items() if key not in annotations}
        return {**annotations, "anyOf": [rest, {"type": "null"}]}
    names = types if isinstance(types, list) else [types]
    if "null" not in names:
        schema = {**schema, "type": [*names, "null"]}
    if "enum" in schema and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    return schema
