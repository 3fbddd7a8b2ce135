"""Branches: the values of one type that a JSON Schema accepts.

Keywords that a branch cannot express are left out, so branches accept every value that the schema accepts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

TYPES: Final = ("object", "array", "string", "number", "boolean", "null")
_STRICTER: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
}

_MOST: Final = 24
"""More alternatives of objects are joined to one object."""


@dataclass(frozen=True, slots=True)
class Subschema:
    """A subschema, with the references that were followed on the way to it."""

    data: Any
    followed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Alternatives for a value, of which each is a conjunction of subschemas."""

    options: tuple[Place, ...]


Place = tuple["Subschema | Alternatives", ...]
"""A conjunction: a value meets all of its parts. The empty one accepts everything."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Values of one type.

    `values` are the allowed ones, or None for any; `again` is the name of a recursive reference, whose members are
    not repeated. `additional` describes properties that are not named; a `closed` object has none of them. `detail`
    is the description of one alternative beside that of all.
    """

    type: str
    description: str | None = None
    detail: str | None = None
    default: Any = None
    deprecated: bool = False
    example: Any = None
    keywords: Mapping[str, Any] = field(default_factory=dict)
    values: tuple[Any, ...] | None = None
    properties: Mapping[str, Place] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    additional: Place = ()
    closed: bool = False
    items: Place = ()
    again: str | None = None

    @property
    def is_bare(self) -> bool:
        """True if the branch accepts every value of its type."""
        return not (self.keywords or self.properties or self.required or self.additional or self.items) and (
            self.values is None and not self.closed and self.again is None
        )


def distinct(branches: Iterable[Branch]) -> list[Branch]:
    """Return branches, equal ones once."""
    found: list[Branch] = []
    for branch in branches:
        if branch not in found:
            found.append(branch)
    return found


def intersect(
    left: Sequence[Branch], right: Sequence[Branch], *, is_detail: bool = False, is_loose: bool = False
) -> list[Branch]:
    """Return branches for the values that both sides accept, at least.

    With `is_detail` the descriptions of the right side are those of alternatives; `is_loose` keeps enums that have no
    value in common.
    """
    pairs = [(one, other) for one in left for other in right if _has_common_type(one, other)]
    merged = [both for one, other in pairs if (both := _merge(one, other, is_detail, is_loose)) is not None]
    found = distinct(merged)
    objects = [branch for branch in found if branch.type == "object"]
    if len(objects) > _MOST:
        return [join_objects(objects), *(branch for branch in found if branch.type != "object")]
    return found


def _has_common_type(left: Branch, right: Branch) -> bool:
    return left.type == right.type or {left.type, right.type} == {"number", "integer"}


def _merge(left: Branch, right: Branch, is_detail: bool, is_loose: bool) -> Branch | None:
    """Return a branch for the values that both accept, at least.

    None means that there are none; `is_loose` keeps enums that have no value in common.
    """
    values = _common(left.values, right.values)
    if values == () and not is_loose:
        return None
    if values == ():
        values = (*(left.values or ()), *(right.values or ()))
    detail = left.detail or right.detail
    if is_detail and left.description and right.description != left.description:
        detail = right.description or right.detail
    return Branch(
        type=left.type if left.type == right.type else "integer",
        description=left.description or right.description,
        detail=detail,
        default=right.default if left.default is None else left.default,
        deprecated=left.deprecated or right.deprecated,
        example=right.example if left.example is None else left.example,
        keywords=_merge_keywords(left.keywords, right.keywords),
        values=values,
        properties=_merge_properties(left.properties, right.properties),
        required=tuple(dict.fromkeys((*left.required, *right.required))),
        additional=left.additional + right.additional,
        closed=left.closed or right.closed,
        items=left.items + right.items,
        again=left.again or right.again,
    )


def _common(left: tuple[Any, ...] | None, right: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    if left is None or right is None:
        return right if left is None else left
    return tuple(value for value in left if value in right)


def _merge_keywords(left: Mapping[str, Any], right: Mapping[str, Any]) -> Mapping[str, Any]:
    if not left or not right:
        return left or right
    merged = {**right, **left}
    for key in left.keys() & right.keys():
        one, other = left[key], right[key]
        if key in _STRICTER and all(isinstance(each, int | float) for each in (one, other)):
            merged[key] = _STRICTER[key](one, other)
    return merged


def _merge_properties(left: Mapping[str, Place], right: Mapping[str, Place]) -> Mapping[str, Place]:
    if not left or not right:
        return left or right
    return {name: left.get(name, ()) + right.get(name, ()) for name in dict.fromkeys((*left, *right))}


def join_objects(branches: Sequence[Branch]) -> Branch:
    """Return one object with the properties of all alternatives; only common requirements stay."""
    names = dict.fromkeys(name for branch in branches for name in branch.properties)
    properties = {name: _either([b.properties[name] for b in branches if name in b.properties]) for name in names}
    common = set(branches[0].required).intersection(*(branch.required for branch in branches))
    return Branch(
        "object",
        description=next((branch.description for branch in branches if branch.description), None),
        default=next((branch.default for branch in branches if branch.default is not None), None),
        properties=properties,
        required=tuple(name for name in branches[0].required if name in common),
        closed=all(branch.closed for branch in branches),
    )


def _either(places: Sequence[Place]) -> Place:
    distinct: list[Place] = []
    for place in places:
        if place not in distinct:
            distinct.append(place)
    return distinct[0] if len(distinct) == 1 else (Alternatives(tuple(distinct)),)
