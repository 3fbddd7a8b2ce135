"""Steps through a self-contained JSON Schema: its references, compositions and members."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

_COMPOSITIONS: Final = ("allOf", "anyOf", "oneOf")
_CONDITIONS: Final = ("then", "else")


def dereference(root: Mapping[str, Any], reference: str) -> Any:
    """Return the part of `root` that `#` or a JSON Pointer such as `#/$defs/Pet` names, or True if there is none.

    True is the schema that accepts everything.
    """
    if not reference.startswith("#"):
        return True
    part: Any = root
    for token in unquote(reference[1:]).split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(part, Mapping) and key in part:
            part = part[key]
        elif isinstance(part, list) and key.isdecimal() and int(key) < len(part):
            part = part[int(key)]
        else:
            return True
    return part


def members(schema: Mapping[str, Any], keyword: str) -> Mapping[str, Any]:
    """Return the subschemas of a keyword by name; a malformed keyword has none."""
    found = schema.get(keyword)
    return found if isinstance(found, Mapping) else {}


def options(schema: Mapping[str, Any], keyword: str) -> list[Any]:
    """Return the elements of a keyword that has a list, such as a composition; a malformed one has none."""
    found = schema.get(keyword)
    return found if isinstance(found, list) else []


def named_types(schema: Mapping[str, Any]) -> list[str]:
    """Return the names in the `type` of a schema."""
    declared = schema.get("type")
    return [declared] if isinstance(declared, str) else [n for n in options(schema, "type") if isinstance(n, str)]


def applicable(schemas: Iterable[Any], root: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the schemas that may describe a value: the given ones, and those that they refer to or are composed of."""
    pending, seen = list(schemas), set[int]()
    while pending:
        schema = pending.pop(0)
        if not isinstance(schema, Mapping) or id(schema) in seen:
            continue
        seen.add(id(schema))
        yield schema
        if isinstance(reference := schema.get("$ref"), str):
            pending.append(dereference(root, reference))
        for keyword in _COMPOSITIONS:
            pending += options(schema, keyword)
        pending += [schema[keyword] for keyword in _CONDITIONS if keyword in schema]
        pending += members(schema, "dependentSchemas").values()
