"""Shared schemas of an OpenAPI document: the `$defs` of its schemas become `components`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_DEFS: Final = "$defs"
_DEFS_POINTER: Final = "#/$defs/"


def share_schemas(part: Any, components: dict[str, Any]) -> Any:
    """Return a part of a document whose schemas refer to `components`, which receives their `$defs`.

    A schema with the name of another one that `components` has gets a name with `_` after it.
    """
    if isinstance(part, list):
        return [share_schemas(each, components) for each in part]
    if not isinstance(part, Mapping):
        return part
    for name, schema in part.get(_DEFS, {}).items():
        own = _component(name)
        if own not in components:
            components[own] = {}  # Schemas may refer to themselves.
            components[own] = share_schemas(schema, components)
    shared = {key: share_schemas(value, components) for key, value in part.items() if key != _DEFS}
    reference = shared.get("$ref")
    if isinstance(reference, str) and reference.startswith(_DEFS_POINTER):
        shared["$ref"] = f"#/components/schemas/{_component(reference.removeprefix(_DEFS_POINTER))}"
    return shared


def _component(name: str) -> str:
    return f"{name}_" if name == "Problem" else name
