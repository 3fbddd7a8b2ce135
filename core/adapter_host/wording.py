"""Our own words for what pydantic finds wrong with a document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError

from .document.source import Loc, Source
from .document.words import shown
from .errors import Problem

_TYPES: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_BOUNDS: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "greater_than": lambda context: f"more than {context['gt']:g}",
    "greater_than_equal": lambda context: f"at least {context['ge']}",
    "less_than_equal": lambda context: f"at most {context['le']}",
    "literal_error": lambda context: f"one of {context['expected']}",
    "string_pattern_mismatch": lambda context: f"text that matches {context['pattern']}",
}


def problems_of(error: ValidationError, source: Source, loc: Loc) -> list[Problem]:
    """A problem for each of the errors of one model that stands at `loc`."""
    return [_problem(dict(detail), source, loc) for detail in error.errors(include_url=False)]


def _problem(detail: dict[str, Any], source: Source, loc: Loc) -> Problem:
    kind = detail["type"]
    place = (*loc, *_existing(detail["loc"], source, loc))
    name = next(part for part in reversed(("document", *place)) if isinstance(part, str))
    if kind == "missing":
        return source.problem(place, f"'{detail['loc'][-1]}' is missing", code="missing-key")
    context = detail.get("ctx", {})
    if kind in _TYPES or kind in _BOUNDS:
        wanted = _TYPES.get(kind) or _BOUNDS[kind](context)
        return source.problem(place, f"'{name}' must be {wanted} (given {shown(detail['input'])})", code="type")
    if kind == "value_error":
        return source.problem(place, str(context["error"]), code="invalid")
    if kind == "too_short":
        return source.problem(place, f"'{name}' must not be empty", code="invalid")
    return source.problem(place, f"'{name}': {detail['msg']}", code="invalid")


def _existing(found: tuple[str | int, ...], source: Source, loc: Loc) -> Loc:
    """The part of a pydantic place that is a place of the document: union members' names are left out."""
    value: Any = source.data
    for part in loc:
        value = value[part]
    place: list[str | int] = []
    for part in found:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            continue
        place.append(part)
    return tuple(place)
