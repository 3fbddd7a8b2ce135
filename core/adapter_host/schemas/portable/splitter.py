"""Splits JSON Schemas into branches of one type each; references and compositions are resolved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from .branches import TYPES, Alternatives, Branch, Place, Subschema, distinct, intersect
from .walk import dereference, members, named_types, options

_NAMED_TYPES: Final = frozenset({*TYPES, "integer"})

_KEYWORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "object": ("minProperties", "maxProperties"),
    "array": ("minItems", "maxItems", "uniqueItems"),
    "string": ("minLength", "maxLength", "pattern", "format", "contentEncoding", "contentMediaType"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "format"),
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "format"),
    "boolean": (),
    "null": (),
}


class Splitter:
    """Splits the subschemas of one root schema."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root

    def split(self, place: Place) -> list[Branch]:
        """Return the branches of a conjunction; none if nothing is valid."""
        found: list[Branch] | None = None
        for part in place:
            is_choice = isinstance(part, Alternatives)
            split = self._alternatives(part) if isinstance(part, Alternatives) else self._split(part, ())
            found = split if found is None else intersect(found, split, is_detail=is_choice)
        return _anything() if found is None else found

    def _alternatives(self, part: Alternatives) -> list[Branch]:
        return distinct(branch for option in part.options for branch in self.split(option))

    def _split(self, part: Subschema, composed: tuple[str, ...]) -> list[Branch]:
        schema = part.data
        if not isinstance(schema, Mapping):
            return [] if schema is False else _anything()
        found = _own_branches(schema, part.followed)
        if isinstance(reference := schema.get("$ref"), str):
            found = intersect(found, self._referenced(reference, part.followed, composed))
        for option in options(schema, "allOf"):
            split = self._split(Subschema(option, part.followed), composed)
            # Documents put enums together by `allOf`, though no value is in all of them.
            found = intersect(found, split) or intersect(found, split, is_loose=True)
        for keyword in ("anyOf", "oneOf"):
            if choices := options(schema, keyword):
                split = [b for choice in choices for b in self._split(Subschema(choice, part.followed), composed)]
                found = intersect(found, distinct(split), is_detail=True)
        return found

    def _referenced(self, reference: str, followed: tuple[str, ...], composed: tuple[str, ...]) -> list[Branch]:
        if reference in composed:  # a schema that is composed of itself says nothing more
            return _anything()
        target = dereference(self._root, reference)
        if reference in followed:
            name = reference.rpartition("/")[2].replace("#", "") or "object"
            return [_repeated(b, name) for b in self._split(Subschema(target, followed), (*composed, reference))]
        return self._split(Subschema(target, (*followed, reference)), (*composed, reference))


def _anything() -> list[Branch]:
    return [Branch(name) for name in TYPES]


def _repeated(branch: Branch, name: str) -> Branch:
    if branch.type not in ("object", "array") or branch.is_bare:
        return branch
    return Branch(branch.type, branch.description, default=branch.default, again=branch.again or name)


def _own_branches(schema: Mapping[str, Any], followed: tuple[str, ...]) -> list[Branch]:
    """Return the branches of the schema's keywords, without its references and compositions."""
    values = _values(schema)
    found = []
    for name in _types(schema):
        allowed = None if values is None else tuple(value for value in values if _is_of_type(value, name))
        if allowed != ():
            found.append(_own_branch(name, schema, followed, allowed))
    return found


def _types(schema: Mapping[str, Any]) -> Iterable[str]:
    known = [name for name in dict.fromkeys(named_types(schema)) if name in _NAMED_TYPES]
    if not known:
        values = _values(schema)
        if values and not any(isinstance(value, float) for value in values):
            return ["integer" if name == "number" else name for name in TYPES]
        return TYPES
    if schema.get("nullable") is True and "null" not in known:
        known.append("null")
    return [name for name in known if name != "integer" or "number" not in known]


def _values(schema: Mapping[str, Any]) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    if not isinstance(values, list):
        return None
    # OpenAPI 3.0: `nullable` allows null beside an enum that lacks it.
    return [*values, None] if schema.get("nullable") is True and None not in values else values


def _is_of_type(value: Any, name: str) -> bool:
    if name == "null":
        return value is None
    if name in ("number", "integer"):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and (name == "number" or value == value // 1)
    kinds: Mapping[str, type] = {"object": dict, "array": list, "string": str, "boolean": bool}
    return isinstance(value, kinds[name])


def _own_branch(
    name: str, schema: Mapping[str, Any], followed: tuple[str, ...], values: tuple[Any, ...] | None
) -> Branch:
    own: dict[str, Any] = {}
    if name == "object":
        own = _object_members(schema, followed)
    elif name == "array":
        own = {"items": _elements(schema, followed)}
    return Branch(
        name,
        description=_text(schema.get("description")) or _text(schema.get("title")),
        default=schema.get("default"),
        deprecated=schema.get("deprecated") is True,
        example=_example(schema),
        keywords={key: schema[key] for key in _KEYWORDS[name] if schema.get(key) is not None},
        values=values,
        **own,
    )


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _example(schema: Mapping[str, Any]) -> Any:
    examples = schema.get("examples")
    return examples[0] if isinstance(examples, list) and examples else schema.get("example")


def _object_members(schema: Mapping[str, Any], followed: tuple[str, ...]) -> dict[str, Any]:
    properties = {
        str(name): (Subschema(child, followed),)
        for name, child in members(schema, "properties").items()
        if child is not False
    }
    additional = schema.get("additionalProperties")
    # Names that match a pattern are neither additional properties nor named here.
    is_open = bool(members(schema, "patternProperties"))
    return {
        "properties": properties,
        "required": tuple(name for name in options(schema, "required") if isinstance(name, str)),
        "additional": (Subschema(additional, followed),) if isinstance(additional, Mapping) and not is_open else (),
        "closed": additional is False and not is_open,
    }


def _elements(schema: Mapping[str, Any], followed: tuple[str, ...]) -> Place:
    items = schema.get("items")
    # A list of schemas in `items` is the older form of `prefixItems`.
    first = items if isinstance(items, list) else options(schema, "prefixItems")
    rest = schema.get("additionalItems") if isinstance(items, list) else items
    if not first:
        return (Subschema(rest, followed),) if isinstance(rest, Mapping) else ()
    every = [*first, *([] if rest is False else [True if rest is None else rest])]
    if any(not isinstance(each, Mapping) or not each for each in every):
        return ()
    return (Alternatives(tuple((Subschema(each, followed),) for each in every)),)
