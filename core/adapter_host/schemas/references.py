"""References of a schema to its `$defs`, and the types that it allows through them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

DEFS: Final = "$defs"
DEFS_POINTER: Final = f"#/{DEFS}/"
_MAX_DEPTH: Final = 100


def types_of(schema: Any, defs: Mapping[str, Any]) -> frozenset[str]:
    """Return the types that a schema allows by its `type` and in its alternatives; empty where it does not say."""
    return _types_of(schema, defs, {}, 0)


def _types_of(schema: Any, defs: Mapping[str, Any], known: dict[int, frozenset[str]], depth: int) -> frozenset[str]:
    """Return the types of a schema; each is read once, and one within itself adds nothing."""
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return frozenset()
    target = referenced(schema, defs)
    if target is not None and schema.keys() == {"$ref"}:
        return _types_of(target, defs, known, depth + 1)
    if id(schema) not in known:
        known[id(schema)] = frozenset()
        known[id(schema)] = _combined_types(schema, target, lambda part: _types_of(part, defs, known, depth + 1))
    return known[id(schema)]


def _combined_types(schema: Mapping[str, Any], target: Any, types: Callable[[Any], frozenset[str]]) -> frozenset[str]:
    found = [_named_types(schema), types(target)]
    found += [types(part) for part in schema.get("allOf", ())]
    for key in ("anyOf", "oneOf"):
        alternatives = [types(part) for part in schema.get(key, ())]
        found.append(frozenset().union(*alternatives) if all(alternatives) else frozenset())
    named = [each for each in found if each]
    if not named:
        return frozenset()
    common = named[0]
    for each in named[1:]:
        common = common & each or common
    return common


def _named_types(schema: Mapping[str, Any]) -> frozenset[str]:
    named = schema.get("type", ())
    return frozenset((named,) if isinstance(named, str) else named)


def referenced(schema: Any, defs: Mapping[str, Any]) -> Any:
    """Return the schema that `$ref` names; None without one."""
    reference = schema.get("$ref") if isinstance(schema, Mapping) else None
    if not isinstance(reference, str) or not reference.startswith(DEFS_POINTER):
        return None
    return defs.get(reference.removeprefix(DEFS_POINTER))


def reference_to(name: str) -> dict[str, Any]:
    """Return a reference to one of `$defs`."""
    return {"$ref": f"{DEFS_POINTER}{name}"}


def hoist_defs(schemas: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Move the `$defs` out of schemas, and return all of them."""
    defs: dict[str, Any] = {}
    for schema in schemas:
        defs |= schema.pop(DEFS, {})
    return defs
