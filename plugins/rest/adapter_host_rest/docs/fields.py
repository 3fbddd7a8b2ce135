"""Renders JSON Schemas as nested lists of fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import orjson

from adapter_host import count_noun, text_of

Data = Mapping[str, Any]

MAX_DEPTH: Final = 8
"""Levels of fields that a list has; the JSON Schema below it has all."""

MAX_FIELDS: Final = 300
"""Fields of one schema that a list has."""

_REFERENCE: Final = "#/components/schemas/"


def schema_html(schema: Data | None, components: Data) -> str:
    """Return a schema as a list of its fields, and as JSON; references are to the schemas in `components`."""
    if not schema:
        return ""
    text = escape(orjson.dumps(schema, option=orjson.OPT_INDENT_2).decode())
    json = f"<details class='json'><summary>JSON Schema</summary><pre>{text}</pre></details>"
    resolved, names = _resolved(schema, components, frozenset())
    fields = "".join(_Fields(components).members(resolved, names, 0))
    described = f"<ul class='fields'>{fields}</ul>" if fields else f"<p>{escape(type_and_limits(resolved))}</p>"
    return f"{described}{json}"


def type_and_limits(schema: Data) -> str:
    """Return the type of a value, its allowed values and its limits."""
    items, types = schema.get("items"), schema.get("type", "any")
    allowed = schema.get("enum") or (items.get("enum") if isinstance(items, dict) else None)
    limits = {
        "one of": allowed and ", ".join(map(text_of, allowed)),
        "at least": "minLength" in schema and count_noun(schema["minLength"], "character"),
        "at most": "maxLength" in schema and count_noun(schema["maxLength"], "character"),
        "pattern": schema.get("pattern"),
    }
    named = types if isinstance(types, str) else " or ".join(types)
    return "; ".join([named, *(f"{key} {text}" for key, text in limits.items() if text)])


def _resolved(schema: Any, components: Data, names: frozenset[str]) -> tuple[Data, frozenset[str]]:
    """Return a schema in the place of a reference, with the names that were resolved; empty for one in itself."""
    if not isinstance(schema, Mapping):
        return {}, names
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith(_REFERENCE):
        return schema, names
    name = reference.removeprefix(_REFERENCE)
    if name in names or name not in components:
        return {"type": name}, names
    target, names = _resolved(components[name], components, names | {name})
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}, names


@dataclass(slots=True)
class _Fields:
    """Renders the fields of one schema; of a schema with more than `MAX_FIELDS`, the first ones."""

    components: Data
    left: int = MAX_FIELDS

    def members(self, schema: Data, names: frozenset[str], depth: int) -> Iterator[str]:
        """Yield the fields of an object, the items of an array, or the variants."""
        if depth == MAX_DEPTH:
            return
        required = schema.get("required", ())
        for name, child in schema.get("properties", {}).items():
            suffix = "" if name in required else " (optional)"
            yield self._member(f"<code>{escape(name)}</code>{suffix}", child, names, depth)
        for key, label in (("additionalProperties", "any other field"), ("items", "each item")):
            if isinstance(child := schema.get(key), Mapping) and child:
                yield self._member(label, child, names, depth)
        for key in ("oneOf", "anyOf", "allOf"):
            for variant in schema.get(key, ()):
                yield self._member("and" if key == "allOf" else "either", variant, names, depth)

    def _member(self, label: str, schema: Any, names: frozenset[str], depth: int) -> str:
        self.left -= 1
        if self.left < 0:
            return "<li>more fields, in the JSON Schema</li>" if self.left == -1 else ""
        resolved, names = _resolved(schema, self.components, names)
        description = resolved.get("description")
        text = f"<p class='text'>{escape(str(description))}</p>" if description else ""
        inner = "".join(self.members(resolved, names, depth + 1))
        nested = f"<ul class='fields'>{inner}</ul>" if inner else ""
        return f"<li>{label} <span class='type'>{escape(type_and_limits(resolved))}</span>{text}{nested}</li>"
