"""JSON Schemas that the APIs of model providers, and the clients on them, accept.

`docs/explanation/portable-schemas.md` lists the rules with their sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from .branches import TYPES, Alternatives, Branch, Place, Subschema, join_objects
from .names import property_names
from .notes import describe, note_values, sentence
from .scalars import portable_keywords
from .splitter import Splitter

DEEPEST: Final = 10
"""Levels of objects and arrays in one schema."""

LARGEST: Final = 1_000
"""Subschemas in one schema; a larger one is cut at fewer levels."""

_ARRAY_LEVELS: Final = 2
"""Levels of arrays in a value of which nothing is known."""

_PLAIN: Final = frozenset({"type", "description", "properties", "required", "items", "additionalProperties"})

_LONGEST_DEFAULT: Final = 200


class _SizeError(Exception):
    """A schema has too many parts at the chosen depth."""


def portable_schema(schema: Mapping[str, Any], *, is_output: bool = False) -> dict[str, Any]:
    """Return the portable form of a self-contained JSON Schema (2020-12); it accepts all values of the schema.

    The schema of a tool's arguments becomes one object with legal names (`NameMap` has the declared ones). Every part
    has a type, and every array has `items`. With `is_output` parts of which nothing is known stay empty, names stay,
    and the root may have any type.
    """
    if is_output and _is_plain(schema):
        return dict(schema)
    legal = {} if is_output else property_names(schema)
    for deepest in range(DEEPEST, 1, -1):
        try:
            return _Renderer(schema, legal, is_output, LARGEST).root(deepest)
        except _SizeError:
            continue
    return _Renderer(schema, legal, is_output, None).root(1)


class _Renderer:
    """Renders one schema; raises `_SizeError` for more than `largest` parts."""

    def __init__(self, root: Mapping[str, Any], names: Mapping[str, str], is_output: bool, largest: int | None) -> None:
        self._splitter = Splitter(root)
        self._root: Place = (Subschema(root),)
        self._names = names
        self._is_output = is_output
        self._left = largest

    def root(self, levels: int) -> dict[str, Any]:
        """Return the whole schema with at most `levels` levels of objects and arrays."""
        if self._is_output:
            return self._place(self._root, levels)
        objects = [branch for branch in self._splitter.split(self._root) if branch.type == "object"]
        if not objects:
            return {"type": "object", "properties": {}}
        whole = objects[0] if len(objects) == 1 else join_objects(objects)
        rendered = self._branch(whole, levels)
        rendered.setdefault("properties", {})
        if len(objects) > 1:
            note = f"Use one of these sets of fields: {'; or '.join(map(self._field_set, objects))}."
            rendered["description"] = sentence(rendered.get("description"), note)
        return rendered

    def _field_set(self, branch: Branch) -> str:
        names = branch.required or tuple(branch.properties)
        return ", ".join(self._names.get(name, name) for name in names) or "none"

    def _place(self, place: Place, levels: int) -> dict[str, Any]:
        self._count(1)
        return self._branches(self._splitter.split(place), levels)

    def _count(self, parts: int) -> None:
        if self._left is not None:
            self._left -= parts
            if self._left < 0:
                raise _SizeError

    def _branches(self, found: list[Branch], levels: int) -> dict[str, Any]:
        found = _join_enums(found if self._is_output else _infer_type(found))
        if not found:  # contradictory: the strict schema refuses every value
            return self._anything("No value is valid.")
        if all(branch.is_bare for branch in found) and len({branch.type for branch in found}) == len(TYPES):
            return self._anything(describe(found[0]), found[0])
        if len(found) == 1:
            return self._branch(found[0], levels)
        return self._choice(found, levels)

    def _choice(self, found: Sequence[Branch], levels: int) -> dict[str, Any]:
        if self._is_output and (listed := self._type_list(found, levels)) is not None:
            return listed
        common = found[0].description
        is_common = all(branch.description == common for branch in found)
        rendered = []
        for branch in found:
            option = self._branch(branch, levels, described=not is_common, detailed=True)
            option.pop("default", None)
            if option not in rendered:
                rendered.append(option)
        if len(rendered) == 1:
            return self._branch(found[0], levels)
        outer = {"description": common} if is_common and common else {}
        return {**outer, "anyOf": rendered, **_default(found[0])}

    def _type_list(self, found: Sequence[Branch], levels: int) -> dict[str, Any] | None:
        """Return branches of different types as one schema with a list of types, if their keywords allow it."""
        names = [branch.type for branch in found]
        is_plain = all(branch.values is None and branch.detail is None for branch in found)
        if not is_plain or len(set(names)) < len(names) or {"number", "integer"} <= set(names):
            return None
        if len({branch.description for branch in found}) > 1:
            return None
        rendered: dict[str, Any] = {}
        for branch in found:
            rendered |= self._branch(branch, levels, described=False)
        text = describe(found[0], detailed=False)
        return {"type": names, **({"description": text} if text else {}), **_without(rendered, "type")}

    def _anything(self, description: str | None, branch: Branch | None = None) -> dict[str, Any]:
        outer = {"description": description} if description else {}
        default = _default(branch) if branch else {}
        if self._is_output:
            return {**outer, **default}
        self._count(len(TYPES) * (_ARRAY_LEVELS + 1))
        return {**outer, **_any_value(1 if self._left is None else _ARRAY_LEVELS), **default}

    def _branch(self, branch: Branch, levels: int, *, described: bool = True, detailed: bool = False) -> dict[str, Any]:
        keywords, notes = portable_keywords(branch)
        if branch.type == "object":
            members, note = self._object(branch, levels)
        elif branch.type == "array":
            members, note = self._array(branch, levels)
        else:
            members, note = {}, None
        text = describe(branch, [*notes, note], described=described, detailed=detailed or described)
        outer = {"description": text} if text else {}
        return {"type": branch.type, **outer, **keywords, **members, **_default(branch)}

    def _object(self, branch: Branch, levels: int) -> tuple[dict[str, Any], str | None]:
        if branch.again is not None:
            return {}, f"A {branch.again} again, with the fields described above, at any depth."
        if levels == 0 and (branch.properties or branch.additional):
            named = [f"`{self._names.get(name, name)}`" for name in branch.required]
            suffix = f"; required: {', '.join(named)}" if named else ""
            return {}, f"Its fields are nested too deeply to be described here{suffix}."
        rendered: dict[str, Any] = {}
        if properties := self._fields(branch, levels):
            rendered["properties"] = properties
        if required := [legal for name in branch.required if (legal := self._names.get(name, name)) in properties]:
            rendered["required"] = required
        if branch.closed:
            rendered["additionalProperties"] = False
        elif branch.additional:
            rendered["additionalProperties"] = self._place(branch.additional, levels - 1)
        return rendered, None

    def _fields(self, branch: Branch, levels: int) -> dict[str, Any]:
        """Return the properties by legal name: the required ones first, also those that are not described."""
        first = {
            name: branch.properties.get(name, branch.additional)
            for name in branch.required
            if name in branch.properties or not branch.closed
        }
        rendered = {}
        for name, place in {**first, **branch.properties}.items():
            legal = self._names.get(name, name)
            rendered[legal] = self._place(place, levels - 1)
            if legal != name:
                note = f"Sent as `{name}`."
                rendered[legal] = {**rendered[legal], "description": sentence(rendered[legal].get("description"), note)}
        return rendered

    def _array(self, branch: Branch, levels: int) -> tuple[dict[str, Any], str | None]:
        if branch.again is not None:
            return {"items": self._anything(None)}, f"A {branch.again} again, as described above, at any depth."
        if levels == 0 or not branch.items:
            is_cut = levels == 0 and bool(branch.items)
            note = "Its elements are nested too deeply to be described here." if is_cut else None
            return {"items": self._anything(None)}, note
        note = None
        if isinstance(branch.items[0], Alternatives):
            note = "The alternatives of its elements are in their order."
        return {"items": self._place(branch.items, levels - 1)}, note


def _without(schema: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != key}


def _is_plain(schema: Any) -> bool:
    """Return whether a schema has only keywords that need no change in the schema of a result."""
    return (
        isinstance(schema, Mapping)
        and schema.keys() <= _PLAIN
        and isinstance(properties := schema.get("properties", {}), Mapping)
        and all(map(_is_plain, properties.values()))
        and ("items" not in schema or _is_plain(schema["items"]))
        and isinstance(schema.get("additionalProperties", True), bool)
    )


def _any_value(levels: int) -> dict[str, Any]:
    names = [name for name in TYPES if name != "array" or levels]
    typed = [{"type": name, **({"items": _any_value(levels - 1)} if name == "array" else {})} for name in names]
    return {"anyOf": typed}


def _infer_type(found: list[Branch]) -> list[Branch]:
    """Return the branches that the keywords speak of, for a schema without a type."""
    if len({branch.type for branch in found}) < len(TYPES):
        return found
    meant = [branch for branch in found if not branch.is_bare]
    if {branch.type for branch in meant} & {branch.type for branch in found if branch.is_bare}:
        return found  # one of the alternatives accepts everything
    return meant or found


def _join_enums(found: list[Branch]) -> list[Branch]:
    """Join strings that only differ in their allowed values, as in a `oneOf` of constants."""
    enums = [b for b in found if b.type == "string" and b.values is not None and not b.keywords]
    if len(enums) < 2:
        return found
    values = tuple(dict.fromkeys(value for branch in enums for value in branch.values or ()))
    first = enums[0]
    joined = Branch(
        "string",
        description=first.description if all(b.description == first.description for b in enums) else None,
        detail=note_values(enums),
        default=first.default,
        values=values,
    )
    return [joined if branch is first else branch for branch in found if branch is first or branch not in enums]


def _default(branch: Branch) -> dict[str, Any]:
    if branch.default is None:
        return {}
    try:
        size = len(orjson.dumps(branch.default))
    except (TypeError, ValueError, RecursionError):  # an integer of more than 64 bits, for one
        return {}
    return {"default": branch.default} if size <= _LONGEST_DEFAULT else {}
