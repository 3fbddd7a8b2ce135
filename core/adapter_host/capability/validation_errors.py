"""Our own words for what pydantic finds wrong with a document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError

from adapter_host.document.messages import closest, listed, shown
from adapter_host.document.source import Loc, Source
from adapter_host.errors import Problem

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
    "string_too_long": lambda context: f"at most {context['max_length']} characters long",
    "string_pattern_mismatch": lambda context: f"text that matches {context['pattern']}",
}


def problems_of(error: ValidationError, source: Source, loc: Loc) -> list[Problem]:
    """Return the problems of one model at `loc`; a union that matches no member is one problem."""
    problems: list[Problem] = []
    wanted: dict[Loc, list[str]] = {}
    for detail in _true(error):
        place = (*loc, *_existing(detail["loc"], source, loc))
        if detail["type"] in _TYPES:
            kinds = wanted.setdefault(place, [])
            kinds.append(_TYPES[detail["type"]])
            message = (
                f"'{_name(place, source)}' must be {listed(dict.fromkeys(kinds))} (given {shown(detail['input'])})"
            )
            if len(kinds) > 1:
                problems.pop()
            problems.append(source.problem(place, message, code="type"))
        else:
            problems.append(_problem(detail, source, place))
    return problems


def _true(error: ValidationError) -> list[dict[str, Any]]:
    """Return the errors without those of collections that are too short only because their items are invalid."""
    details = list(map(dict[str, Any], error.errors(include_url=False)))
    outer = {detail["loc"][:depth] for detail in details for depth in range(len(detail["loc"]))}
    return [detail for detail in details if detail["type"] != "too_short" or detail["loc"] not in outer]


def _name(place: Loc, source: Source) -> str:
    return source.word(next(part for part in reversed(("document", *place)) if isinstance(part, str)))


def _missing(name: str, data: Any, source: Source, place: Loc) -> Problem:
    """Report a missing key; at a misspelt key if there is one."""
    typed = closest(name, data) if isinstance(data, dict) else None
    if typed is None:
        return source.problem(place, f"'{name}' is missing", code="missing-key")
    message = f"'{name}' is missing (given '{typed}'; did you mean '{name}'?)"
    return source.problem((*place, typed), message, code="missing-key", key=True)


def _problem(detail: dict[str, Any], source: Source, place: Loc) -> Problem:
    kind, context = detail["type"], detail.get("ctx", {})
    name = _name(place, source)
    if kind == "missing":
        return _missing(source.word(str(detail["loc"][-1])), detail["input"], source, place)
    if kind in _BOUNDS:
        message = f"'{name}' must be {_BOUNDS[kind](context)} (given {shown(detail['input'])})"
        return source.problem(place, message, code="type")
    if kind == "union_tag_invalid":
        key, given = context["discriminator"], shown(context["tag"])
        message = f"{key} must be one of {context['expected_tags']} (given {given})"
        return source.problem((*place, key.strip("'")), message, code="type")
    if kind == "unknown_step_type":
        return source.problem(place, context["message"], code="unknown-type")
    if kind == "value_error":
        return source.problem(place, str(context["error"]), code="invalid")
    if kind == "too_short":
        return source.problem(place, f"'{name}' must not be empty", code="invalid")
    return source.problem(place, f"'{name}': {detail['msg']}", code="invalid")


def _existing(found: tuple[str | int, ...], source: Source, loc: Loc) -> Loc:
    """Return the part of a pydantic place that is a place of the document: union members' names are left out."""
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
