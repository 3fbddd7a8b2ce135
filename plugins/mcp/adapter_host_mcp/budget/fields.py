"""The fields of results: the paths that a schema describes, and the parts of a result that some of them lead to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import orjson

EACH: Final = "*"
"""The name in a path that leads to every value of an object whose names no schema has."""

LONGEST_PATH: Final = 1000

_SEGMENT: Final = re.compile(r'(?P<plain>[^.\[\]"]+)|\[(?P<quoted>"(?:[^"\\]|\\.)*")\]')
_PLAIN: Final = re.compile(r'[^.\[\]"]+')

_NAMING: Final = frozenset({"properties", "patternProperties", "additionalProperties"})
_IN_PLACE: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_THROUGH: Final = ("then", "else", "items")
_STRUCTURE: Final = _NAMING | {"$ref", *_IN_PLACE, *_THROUGH, "enum", "const"}
_CONTAINERS: Final = frozenset({"object", "array"})

Chosen = Mapping[str, "Chosen | None"]
"""The fields of an object that a result has; None has everything below it."""


class Fields:
    """The fields of the values that some schemas describe; those of an array are the fields of its items."""

    def __init__(self, schemas: Sequence[Any], index: FieldIndex) -> None:
        self._schemas = schemas
        self._index = index

    @cached_property
    def named(self) -> Mapping[str, Fields]:
        """The fields that the schemas name."""
        found: dict[str, list[Any]] = {}
        for schema in self._schemas:
            properties = schema.get("properties")
            for name, child in properties.items() if isinstance(properties, Mapping) else ():
                found.setdefault(str(name), []).append(child)
        return {name: self._index.fields(children) for name, children in found.items()}

    @cached_property
    def others(self) -> Fields | None:
        """The fields of values with other names; None if there are none."""
        found: list[Any] = []
        for schema in self._schemas:
            if (added := schema.get("additionalProperties", False)) is not False:
                found.append(added)
            found += schema.get("patternProperties", {}).values()
            if _is_open(schema):
                found.append({})
        return self._index.fields(found) if found else None

    @property
    def has_any(self) -> bool:
        """Whether a path can lead to a field."""
        return bool(self.named) or self.others is not None

    def child(self, name: str) -> Fields | None:
        """Return the fields below a name; None if it is unknown."""
        return self.named.get(name) or self.others

    @property
    def is_unknown(self) -> bool:
        """Whether nothing is known of the values, so that any path may lead to a field."""
        return not self.named and self.others is self


class FieldIndex:
    """Finds the fields of schemas in one root; equal schemas have the same ones, so that references end."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._defs: Mapping[str, Any] = root.get("$defs", {})
        self._found: dict[frozenset[int], Fields] = {}
        self._any: Mapping[str, Any] = {}
        self.root = self.fields([root])

    def fields(self, schemas: Sequence[Any]) -> Fields:
        """Return the fields of the values that all of some schemas describe."""
        applicable = [schema for schema in self._applicable(schemas) if schema.keys() & _NAMING or _is_open(schema)]
        key = frozenset(map(id, applicable))
        if key not in self._found:
            self._found[key] = Fields(applicable, self)
        return self._found[key]

    def _applicable(self, schemas: Sequence[Any]) -> list[Mapping[str, Any]]:
        """Return schemas with those that they refer to, apply in place, and have for the items of arrays."""
        pending, found = list(schemas), dict[int, Mapping[str, Any]]()
        while pending:
            schema = pending.pop(0)
            if schema is True or schema == {}:
                schema = self._any
            if not isinstance(schema, Mapping) or id(schema) in found:
                continue
            found[id(schema)] = schema
            if isinstance(reference := schema.get("$ref"), str):
                pending.append(self._defs.get(reference.removeprefix("#/$defs/")))
            for key in _IN_PLACE:
                pending += schema.get(key, ())
            pending += [schema[key] for key in _THROUGH if key in schema]
        return list(found.values())


@dataclass
class PathList:
    """The paths of the first `most` fields, in the order of the schema; it is `complete` if no other path is valid."""

    most: int
    paths: list[tuple[str, ...]] = field(default_factory=list)
    complete: bool = True

    def add(self, fields: Fields, path: tuple[str, ...] = (), around: tuple[Fields, ...] = ()) -> None:
        """Add the paths of fields that are at `path`; those within themselves end there."""
        below, around = dict(fields.named), (*around, fields)
        if fields.others is not None:
            self.complete = False
            if fields.others.has_any and not fields.others.is_unknown:
                below[EACH] = fields.others
        for name, child in below.items():
            if len(self.paths) == self.most:
                self.complete = False
                return
            self.paths.append((*path, name))
            if child in around:
                self.complete = False
            else:
                self.add(child, (*path, name), around)


def _is_open(schema: Mapping[str, Any]) -> bool:
    """Return whether a schema allows objects, or arrays of them, and says nothing of their fields."""
    types = schema.get("type")
    names = {types} if isinstance(types, str) else set(types or _CONTAINERS)
    return bool(names & _CONTAINERS) and not schema.keys() & _STRUCTURE


def format_path(path: Sequence[str]) -> str:
    """Return a path as text: `items.name`; names with special characters are quoted, as in `items["a.b"]`."""
    text = ""
    for name in path:
        if _PLAIN.fullmatch(name):
            text += f".{name}" if text else name
        else:
            text += f"[{orjson.dumps(name).decode()}]"
    return text


def parse_path(text: str) -> tuple[str, ...] | None:
    """Return the names of a path; None if the text is not one."""
    if not text or len(text) > LONGEST_PATH:
        return None
    names: list[str] = []
    position = 0
    while position < len(text):
        if names and text[position] == ".":
            position += 1
        found = _SEGMENT.match(text, position)
        if found is None:
            return None
        try:
            names.append(orjson.loads(found["quoted"]) if found["plain"] is None else found["plain"])
        except ValueError:
            return None
        position = found.end()
    return tuple(names)


def choose(paths: Sequence[Sequence[str]]) -> Chosen:
    """Return the fields that some paths lead to; a path includes those below it."""
    chosen: dict[str, Any] = {}
    for path in paths:
        place = chosen
        for name in path[:-1]:
            below = place.setdefault(name, {})
            if below is None:
                break
            place = below
        else:
            place[path[-1]] = None
    return chosen


def only_chosen(value: Any, chosen: Chosen) -> Any:
    """Return a value with the chosen fields of objects, also of those in arrays; other values are as they are."""
    if isinstance(value, list):
        return [only_chosen(item, chosen) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, item in value.items():
        key = name if name in chosen else EACH
        if key in chosen:
            below = chosen[key]
            kept[name] = item if below is None else only_chosen(item, below)
    return kept
