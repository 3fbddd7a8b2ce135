"""`adapter-host plugins show`: the keys and the schema of a type, from the models of its plugin."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema

from adapter_host.capability.model import Model
from adapter_host.cli import UsageError
from adapter_host.document.messages import did_you_mean
from adapter_host.plugin.loading.manager import PluginInfo, Plugins

from .output.escapes import to_json
from .output.table import printable, table

_KINDS: Final = {
    "exposes": "exposers",
    "consumes": "consumers",
    "binds": "bind_sources",
    "steps": "step_types",
    "state": "state_stores",
}
"""The attributes of `Plugins` and `PluginInfo` by kind of type."""

_RANGES: Final = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", "length "),
    ("minItems", "maxItems", "length "),
)
_BOUNDS: Final = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "length at least {}",
    "maxLength": "length at most {}",
    "minItems": "length at least {}",
    "maxItems": "length at most {}",
}
"""The words for the bounds of values, by keyword of JSON Schema."""

_WORDS: Final = {"string": "text", "object": "mapping", "boolean": "true or false"}


def find_type(name: str, plugins: Plugins) -> tuple[str, str]:
    """Return kind and type of `rest` or `exposes.rest`; `settings` is the kind of a plugin; raise `UsageError`."""
    kind, dot, rest = name.partition(".")
    known = [(kind, type_name) for kind, attribute in _KINDS.items() for type_name in getattr(plugins, attribute)]
    known += [("settings", info.name) for info in plugins.registered if info.settings is not None]
    matches = [each for each in known if each == (kind, rest)] if dot else [each for each in known if each[1] == name]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UsageError(f"'{name}' is ambiguous; use one of: {', '.join('.'.join(match) for match in matches)}")
    names = [".".join(each) for each in known]
    hint = did_you_mean(name, [*names, *(each[1] for each in known)]) or f" (known: {', '.join(sorted(names))})"
    raise UsageError(f"no plugin has a type '{name}'{hint}")


def describe_type(kind: str, name: str, plugins: Plugins) -> dict[str, Any]:
    """Return the plugin of a type, its documentation, and the JSON Schema of its section; raise `UsageError`."""
    info = _plugin_of(kind, name, plugins)
    if kind == "settings":
        registered = config = info.settings if info else None
    else:
        registered = getattr(plugins, _KINDS[kind]).get(name)
        config = getattr(registered, "config_class", None)
    if registered is None:
        raise UsageError("; ".join(map(str, plugins.failed)) or f"no plugin has a type '{name}'")
    return {
        "kind": kind,
        "type": name,
        "plugin": info.name if info else None,
        "distribution": info.distribution if info else None,
        "version": info.version if info else None,
        "class": f"{registered.__module__}.{registered.__qualname__}",
        "documentation": inspect.getdoc(registered) or "",
        "schema": None if config is None else _schema(config),
    }


def _plugin_of(kind: str, name: str, plugins: Plugins) -> PluginInfo | None:
    if kind == "settings":
        return plugins.load(name)
    return next((info for info in plugins.registered if name in getattr(info, _KINDS[kind])), None)


def _schema(config: type[Model]) -> dict[str, Any]:
    return config.model_json_schema(by_alias=True, schema_generator=_LenientSchema)


class _LenientSchema(GenerateJsonSchema):
    """Describes a field whose type has no schema as any value."""

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> dict[str, Any]:
        try:
            return super().handle_invalid_for_json_schema(schema, error_info)
        except PydanticInvalidForJsonSchema:
            return {}


def type_lines(described: Mapping[str, Any]) -> Iterator[str]:
    """Yield a description of a type as lines of text: its plugin, its documentation, and a table for each section."""
    source = f" ({described['distribution']} {described['version']})" if described["distribution"] else ""
    yield f"{described['kind']} {described['type']}: {described['class']}"
    yield f"plugin {described['plugin']}{source}" if described["plugin"] else "built in"
    yield ""
    yield from map(printable, described["documentation"].splitlines())
    schema = described["schema"]
    if schema is not None:
        yield from _section_lines("", schema)
        for name, section in schema.get("$defs", {}).items():
            yield from _section_lines(name, section)


def _section_lines(name: str, section: Mapping[str, Any]) -> Iterator[str]:
    properties = section.get("properties", {})
    if not properties:
        return
    yield ""
    if name:
        summary = section.get("description", "").split("\n")[0]
        yield f"{name}: {printable(summary)}" if summary else name
    required = section.get("required", ())
    rows = [
        (key, _type_name(value), "yes" if key in required else "-", _default(value), value.get("description", ""))
        for key, value in properties.items()
    ]
    head: tuple[str, ...] = ("key", "type", "required", "default", "description")
    if not any(row[-1] for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]  # type: ignore[misc]
    yield from table(head, rows).splitlines()


def _default(value: Mapping[str, Any]) -> str:
    default = value.get("default")
    return "-" if default in (None, [], {}) else to_json(default)


def _range(schema: Mapping[str, Any]) -> str:
    """Return the bounds of a value in parentheses: ` (1 to 65535)`, ` (at least 1)`; empty without any."""
    for least, most, words in _RANGES:
        if least in schema and most in schema:
            return f" ({words}{schema[least]} to {schema[most]})"
    phrases = [words.format(schema[name]) for name, words in _BOUNDS.items() if name in schema]
    return f" ({', '.join(phrases)})" if phrases else ""


def _type_name(schema: Mapping[str, Any]) -> str:
    """Return the type of a value in a few words: `text`, `list of RestResource`, `text or null`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for key in ("anyOf", "oneOf"):
        if key in schema:
            names = [_type_name(each) for each in schema[key] if each.get("type") != "null"]
            return " or ".join(dict.fromkeys(names))
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_type_name(schema.get('items', {}))}{_range(schema)}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"mapping to {_type_name(schema['additionalProperties'])}"
    type_name = str(schema.get("type", "any"))
    return f"{_WORDS.get(type_name, type_name)}{_range(schema)}"
