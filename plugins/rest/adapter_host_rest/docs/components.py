"""Shared schemas of an OpenAPI document: the `$defs` of its schemas become `components`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_DEFS: Final = "$defs"
_DEFS_POINTER: Final = "#/$defs/"
_RESPONSES: Final = "responses"

Schemas = dict[str, Any]


def share_schemas(paths: Mapping[str, Any], components: Schemas) -> Schemas:
    """Return paths whose schemas refer to `components`, which receives their `$defs`.

    A schema that is another one in responses than in requests, as they have other properties, is `<name>Response`
    there. A name that `components` has already gets a `_` after it.
    """
    requests: Schemas = {}
    responses: Schemas = {}
    _collect(paths, requests, responses)
    different = _different(requests, responses)
    taken = set(components) | set(requests)
    request_names = {name: f"{name}_" if name in components else name for name in requests}
    response_names = {
        name: _unused(f"{name}Response", taken) if name in different else request_names.get(name) or name
        for name in responses
    }
    response_names = {name: f"{own}_" if own in components else own for name, own in response_names.items()}
    shared = _rename(paths, request_names, response_names)
    for schemas, names in ((responses, response_names), (requests, request_names)):
        components |= {names[name]: _rename(schema, names, names) for name, schema in schemas.items()}
    return dict(shared)


def _collect(part: Any, requests: Schemas, responses: Schemas) -> None:
    """Add all `$defs` in a part to those of requests, and those below `responses` to the others."""
    for key, value in part.items() if isinstance(part, dict) else enumerate(part):
        if key == _DEFS:
            for name, schema in value.items():
                requests.setdefault(name, schema)
        elif isinstance(value, (dict, list)):
            _collect(value, responses if key == _RESPONSES else requests, responses)


def _different(requests: Schemas, responses: Schemas) -> set[str]:
    """Return the names of schemas that differ, or refer to one that does."""
    common = requests.keys() & responses.keys()
    different = {name for name in common if requests[name] != responses[name]}
    references = {name: set(_references(responses[name])) & common for name in common}
    while added := {name for name in common - different if references[name] & different}:
        different |= added
    return different


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference.removeprefix(_DEFS_POINTER)
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _unused(name: str, taken: set[str]) -> str:
    while name in taken:
        name = f"{name}_"
    taken.add(name)
    return name


def _rename(part: Any, names: Mapping[str, str], response_names: Mapping[str, str]) -> Any:
    """Return a part without `$defs`, its references to them as references to components."""
    if isinstance(part, list):
        return [_rename(each, names, response_names) for each in part]
    if not isinstance(part, dict):
        return part
    renamed = {
        key: _rename(value, response_names if key == _RESPONSES else names, response_names)
        for key, value in part.items()
        if key != _DEFS
    }
    reference = renamed.get("$ref")
    if isinstance(reference, str) and reference.startswith(_DEFS_POINTER):
        renamed["$ref"] = f"#/components/schemas/{names[reference.removeprefix(_DEFS_POINTER)]}"
    return renamed
