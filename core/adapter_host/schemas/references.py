"""References of a schema to its `$defs`, and the types that it allows through them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

DEFS: Final = "$defs"

_DEFS_POINTER: Final = f"#/{DEFS}/"


def types_of(schema: Any, defs: Mapping[str, Any], depth: int = 0) -> frozenset[str]:
    """Return the types that a schema allows by its `type` and in its alternatives; empty where it does not say."""
    if not isinstance(schema, Mapping) or depth > 20:
        return frozenset()
    found = [_named_types(schema)]
    if (target := referenced(schema, defs)) is not None:
        found.append(types_of(target, defs, depth + 1))
    found += [types_of(part, defs, depth + 1) for part in schema.get("allOf", ())]
    for key in ("anyOf", "oneOf"):
        alternatives = [types_of(part, defs, depth + 1) for part in schema.get(key, ())]
        found.append(frozenset().union(*alternatives) if all(alternatives) else frozenset())
    named = [types for types in found if types]
    if not named:
        return frozenset()
    common = named[0]
    for types in named[1:]:
        common = common & types or common
    return common


def _named_types(schema: Mapping[str, Any]) -> frozenset[str]:
    named = schema.get("type", ())
    return frozenset((named,) if isinstance(named, str) else named)


def referenced(schema: Any, defs: Mapping[str, Any]) -> Any:
    """Return the schema that `$ref` names; None without one."""
    reference = schema.get("$ref") if isinstance(schema, Mapping) else None
    if not isinstance(reference, str) or not reference.startswith(_DEFS_POINTER):
        return None
    return defs.get(reference.removeprefix(_DEFS_POINTER))


def reference_to(name: str) -> dict[str, Any]:
    """Return a reference to one of `$defs`."""
    return {"$ref": f"{_DEFS_POINTER}{name}"}


def hoist_defs(schemas: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Move the `$defs` out of schemas, and return all of them."""
    defs: dict[str, Any] = {}
    for schema in schemas:
        defs |= schema.pop(DEFS, {})
    return defs
