"""The schema of a document: its sections, and the types of installed plugins in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from adapter_host.capability.model import Model
from adapter_host.capability.pagination_spec import PAGINATION, PaginationSpec
from adapter_host.capability.spec import AggregateSpec, Bind, Info
from adapter_host.capability.step_specs import BUILTIN_STEPS, STEP_KEYS
from adapter_host.document.dialects import KNOWN_VERSIONS
from adapter_host.plugin.extension_key import ExtensionKey
from adapter_host.plugin.loading.manager import Plugins
from adapter_host.schemas.references import DEFS, DEFS_POINTER, reference_to

from .forms import Schema, add_forms, add_headers, reachable
from .generator import STEP, LanguageSchemaGenerator

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_SECTIONS: Final = ("binds", "consumes", "aggregates", "exposes")
_OPTIONAL: Final = {"type": "null"}
_KEYS: Final = (ExtensionKey(PAGINATION, "consumed operation", PaginationSpec),)
"""The keys of the host itself that operations of any consumer may have."""


def language_schema(plugins: Plugins) -> Schema:
    """Return the JSON Schema (2020-12) of documents as a host with these plugins reads them; imports all plugins."""
    plugins.load_all()
    kinds: dict[str, dict[str, type[Model]]] = {
        "exposes": {name: plugins.exposers[name].config_class for name in plugins.exposers},
        "consumes": {name: plugins.consumers[name].config_class for name in plugins.consumers},
        "steps": {**BUILTIN_STEPS, **{name: plugins.step_types[name].config_class for name in plugins.step_types}},
    }
    keys = [*_KEYS, *(key for keys in plugins.call_hook("extension_keys") for key in keys)]
    own = dict.fromkeys((Info, Bind, AggregateSpec, *(key.model for key in keys)))
    models = dict.fromkeys((*own, *(model for types in kinds.values() for model in types.values())))
    references, generated = models_json_schema(
        [(model, "validation") for model in models], schema_generator=LanguageSchemaGenerator
    )
    definitions: dict[str, Schema] = generated[DEFS]
    names = {model: references[model, "validation"]["$ref"].removeprefix(DEFS_POINTER) for model in models}
    types = {kind: {name: names[model] for name, model in found.items()} for kind, found in kinds.items()}
    add_forms(definitions)
    if "http" in types["consumes"]:
        add_headers(definitions, types["consumes"]["http"])
    _add_extensions(definitions, keys, names, types)
    for name in types["steps"].values():
        definitions[name]["required"] = [key for key in definitions[name]["required"] if key not in ("type", "name")]
    if "rest" in types["exposes"]:
        types["exposes"]["api"] = types["exposes"]["rest"]
    definitions |= {
        "step": _step(types["steps"]),
        "import": _import(),
        "consumer": _entry(_adapter(types["consumes"])),
        "exposer": _entry(_adapter(types["exposes"])),
        "aggregate": _entry(reference_to(names[AggregateSpec])),
        "bind": _entry(reference_to(names[Bind])),
    }
    schema = {"$schema": DIALECT, **_document(names[Info]), DEFS: dict(sorted(definitions.items()))}
    return {key: _resolved_steps(value) for key, value in schema.items()}


def _add_extensions(
    definitions: Mapping[str, Schema],
    keys: list[ExtensionKey],
    names: Mapping[type[Model], str],
    types: Mapping[str, Mapping[str, str]],
) -> None:
    """Add the keys of plugins to the models that may have them; their own keys are a closed set."""
    for key in keys:
        for name in reachable(definitions, names[key.model]):
            definitions[name]["additionalProperties"] = False
        section = "consumes" if key.place.startswith("consumed") else "exposes"
        for root in types[section].values():
            found = {root} if key.place in ("consumed API", "exposer") else _operations(definitions, root)
            for name in found:
                definitions[name].setdefault("properties", {})[key.name] = reference_to(names[key.model])


def _operations(definitions: Mapping[str, Schema], root: str) -> set[str]:
    """Return the definitions of operations below a type: those with inputs and outputs."""
    needed = {"inputParameters", "outputParameters"}
    return {name for name in reachable(definitions, root) if needed <= definitions[name].get("properties", {}).keys()}


def _document(info: str) -> Schema:
    sections = {section: _optional_list(section) for section in _SECTIONS}
    is_filled = [
        {"required": [name], "properties": {name: {"type": "array", "minItems": 1}}} for name in ("exposes", "consumes")
    ]
    version = {"examples": list(KNOWN_VERSIONS)}
    capability = {
        "type": "object",
        "description": "What is consumed and exposed.",
        "properties": {**sections, "externalRefs": {"type": ["array", "null"]}},
        "anyOf": is_filled,
    }
    return {
        "title": "Capability",
        "type": "object",
        "properties": {
            "naftiko": {"description": "The version of the language.", **version},
            "ikanos": {"description": "The version of the language, instead of `naftiko`.", **version},
            "info": {"anyOf": [reference_to(info), {"enum": [None, "", 0, False, []]}]},
            "binds": sections["binds"],
            "externalRefs": {"type": ["array", "null"]},
            "x-schemas": {"description": "JSON Schemas by name.", "type": ["object", "null"]},
        },
        "if": {"required": ["capability"]},
        "then": {"properties": {"capability": capability}},
        # A file that others import from.
        "else": {
            "anyOf": [{"required": [key]} for key in ("naftiko", "ikanos")],
            "allOf": [{"anyOf": [{"required": [section]} for section in _SECTIONS]}],
            "properties": sections,
        },
    }  # fmt: skip


def _optional_list(section: str) -> Schema:
    name = {"binds": "bind", "consumes": "consumer", "aggregates": "aggregate", "exposes": "exposer"}[section]
    entries = {"type": "array", "items": reference_to(name)}
    if section != "aggregates":
        return {"anyOf": [entries, _OPTIONAL]}
    return {"anyOf": [entries, {"type": "object", "additionalProperties": {"type": "object"}}, _OPTIONAL]}


def _adapter(types: Mapping[str, str]) -> Schema:
    """Return the schema of an entry whose `type` decides on its other keys."""
    return {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": sorted(types)}},
        "allOf": [_if_type(type_name, name) for type_name, name in sorted(types.items())],
    }


def _if_type(type_name: str, definition: str) -> Schema:
    condition = {"required": ["type"], "properties": {"type": {"const": type_name}}}
    return {"if": condition, "then": reference_to(definition)}


def _entry(schema: Schema) -> Schema:
    """Return the schema of an entry, or of an import of one (see `is_import`)."""
    own_keys = [{"required": [key]} for key in ("baseUri", "keys")]
    file_keys = [{"required": [key]} for key in ("from", "location")]
    untyped = {"anyOf": [{"not": {"required": ["type"]}}, *file_keys]}
    return {
        "if": {"type": "object", "required": ["import"], "not": {"anyOf": own_keys}, **untyped},
        "then": reference_to("import"),
        "else": schema,
    }


def _import() -> Schema:
    text = {"type": "string", "minLength": 1}
    return {
        "description": "An entry of another file.",
        "type": "object",
        "properties": {"import": {}, "from": text, "location": text, "as": {}},
        "anyOf": [{"required": ["from"]}, {"required": ["location"]}],
    }


def _step(types: Mapping[str, str]) -> Schema:
    """Return the schema of a step, whose type is known from its keys if it declares none."""
    schema: Schema = reference_to(types["call"])
    for key, type_name in reversed(STEP_KEYS.items()):
        if type_name in types:
            schema = {"if": {"required": [key]}, "then": reference_to(types[type_name]), "else": schema}
    typed = _adapter(types)
    del typed["required"]
    return {**typed, "if": {"required": ["type"]}, "else": schema}


def _resolved_steps(schema: Any) -> Any:
    if isinstance(schema, dict):
        if STEP in schema:
            return reference_to("step")
        return {key: _resolved_steps(value) for key, value in schema.items()}
    return [_resolved_steps(item) for item in schema] if isinstance(schema, list) else schema
