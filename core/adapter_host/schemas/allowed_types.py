"""The types that a schema allows, as far as its keywords name them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import combinations
from typing import Any, Final

from .references import DEFS_POINTER, referenced
from .values import type_name

Types = frozenset[str]

_NUMBERS: Final = frozenset({"integer", "number"})
_ANY: Final[Types] = frozenset()
_MAX_DEPTH: Final = 100
_INFERRED: Final = {
    "properties": "object",
    "additionalProperties": "object",
    "items": "array",
    "prefixItems": "array",
}
"""The types that keywords for one type suggest; they say nothing about values of another."""


def types_of(
    schema: Any, defs: Mapping[str, Any], *, pointer: str = DEFS_POINTER, infers: bool = False
) -> frozenset[str]:
    """Return the types that a schema allows by its `type`, its values and its alternatives; empty for any type.

    `pointer` is the start of references to `defs`. With `infers`, `properties` without a type means an object, and
    `items` an array.
    """
    return _TypesReader(defs, pointer, infers).types(schema, 0)


def disjoint_types(schema: Any, defs: Mapping[str, Any], *, pointer: str = DEFS_POINTER) -> tuple[Types, Types] | None:
    """Return two sets of types that a schema requires at once, and that no value is of; None if there are none."""
    for _ in defs:
        if not isinstance(schema, Mapping) or schema.keys() != {"$ref"}:
            break
        schema = referenced(schema, defs, pointer)
    if not isinstance(schema, Mapping):
        return None
    reader = _TypesReader(defs, pointer, False)
    distinct = dict.fromkeys(reader.restrictions(schema, referenced(schema, defs, pointer), 0))
    for one, other in combinations(distinct, 2):
        if not any(is_compatible(name, other) for name in one):
            return one, other
    return None


def is_compatible(name: str, types: Collection[str]) -> bool:
    """Return whether values of a type are of one of some types; some numbers are integers."""
    return name in types or (name in _NUMBERS and not _NUMBERS.isdisjoint(types))


class _TypesReader:
    """Reads the types of schemas; each schema is read once, and one within itself adds nothing."""

    def __init__(self, defs: Mapping[str, Any], pointer: str, infers: bool) -> None:
        self._defs = defs
        self._pointer = pointer
        self._infers = infers
        self._known: dict[int, Types] = {}

    def types(self, schema: Any, depth: int) -> Types:
        if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
            return _ANY
        target = referenced(schema, self._defs, self._pointer)
        if target is not None and schema.keys() == {"$ref"}:
            return self.types(target, depth + 1)
        if id(schema) not in self._known:
            self._known[id(schema)] = _ANY
            self._known[id(schema)] = _common(self.restrictions(schema, target, depth)) or self._inferred(schema)
        return self._known[id(schema)]

    def restrictions(self, schema: Mapping[str, Any], target: Any, depth: int) -> list[Types]:
        """Return the types that each keyword of a schema allows; a value must be of one of each."""
        found = [_named_types(schema), _types_of_values(schema), self.types(target, depth + 1)]
        found += [self.types(part, depth + 1) for part in schema.get("allOf", ())]
        for key in ("anyOf", "oneOf"):
            alternatives = [self.types(part, depth + 1) for part in schema.get(key, ())]
            found.append(_ANY.union(*alternatives) if all(alternatives) else _ANY)
        return [types for types in found if types]

    def _inferred(self, schema: Mapping[str, Any]) -> Types:
        if not self._infers:
            return _ANY
        return frozenset([name for key, name in _INFERRED.items() if key in schema][:1])


def _common(restrictions: list[Types]) -> Types:
    """Return the types that all allow; those of the first where they contradict each other."""
    common = restrictions[0] if restrictions else _ANY
    for types in restrictions[1:]:
        common = _intersection(common, types) or common
    return common


def _intersection(one: Types, other: Types) -> Types:
    """Return the types of both; integers are numbers too."""
    common = one & other
    if "number" in common:
        return common - {"integer"}
    if _NUMBERS.isdisjoint(one) or _NUMBERS.isdisjoint(other):
        return common
    return common | {"integer"}


def _named_types(schema: Mapping[str, Any]) -> Types:
    named = schema.get("type", ())
    return frozenset((named,) if isinstance(named, str) else named)


def _types_of_values(schema: Mapping[str, Any]) -> Types:
    """Return the types of the allowed values; those of `const`, as it is one of them."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    names = [type_name(value) for value in values] if isinstance(values, list) else []
    return _ANY if None in names else frozenset(name for name in names if name is not None)
