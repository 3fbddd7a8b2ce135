"""Messages for pydantic's validation errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError

from adapter_host.document.messages import closest_match, count_noun, format_value, join_words
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
    "string_too_long": lambda context: f"at most {count_noun(context['max_length'], 'character')} long",
    "string_pattern_mismatch": lambda context: f"text that matches {context['pattern']}",
}


def validation_problems(error: ValidationError, source: Source, loc: Loc) -> list[Problem]:
    """Return the problems of the model at `loc`; a union that matches no member is one problem."""
    return [problem for problem, _ in located_problems(error, source, loc)]


def located_problems(error: ValidationError, source: Source, loc: Loc) -> list[tuple[Problem, Loc]]:
    """Return the problems of the model at `loc`, each with its location."""
    problems: list[tuple[Problem, Loc]] = []
    expected: dict[Loc, list[str]] = {}
    for detail in _relevant_errors(error):
        location = (*loc, *_document_loc(detail["loc"], source, loc))
        if detail["type"] in _TYPES:
            type_names = expected.setdefault(location, [])
            type_names.append(_TYPES[detail["type"]])
            kinds = join_words(dict.fromkeys(type_names))
            message = f"'{_name(location, source)}' must be {kinds} (given {format_value(detail['input'])})"
            if len(type_names) > 1:
                problems.pop()
            problems.append((source.problem(location, message, code="type"), location))
        else:
            problems.append((_problem(detail, source, location), location))
    return problems


def _relevant_errors(error: ValidationError) -> list[dict[str, Any]]:
    """Return the errors without those of collections that are too short only because their items are invalid."""
    details = list(map(dict[str, Any], error.errors(include_url=False)))
    outer = {detail["loc"][:depth] for detail in details for depth in range(len(detail["loc"]))}
    return [detail for detail in details if detail["type"] != "too_short" or detail["loc"] not in outer]


def _name(location: Loc, source: Source) -> str:
    return source.term(next(part for part in reversed(("document", *location)) if isinstance(part, str)))


def _missing(name: str, alternative: str | None, data: Any, source: Source, location: Loc) -> Problem:
    """Report a missing key, at a misspelt key if there is one; `alternative` is the key that can be in its place."""
    for key in (name, *([] if alternative is None else [alternative])):
        misspelled = closest_match(key, map(str, data)) if isinstance(data, dict) else None
        if misspelled is not None and misspelled != key:
            message = f"'{name}' is missing (given '{misspelled}'; did you mean '{key}'?)"
            return source.problem((*location, misspelled), message, code="missing-key", key=True)
    hint = "" if alternative is None else f"; set it, or '{alternative}' in its place"
    return source.problem(location, f"'{name}' is missing{hint}", code="missing-key")


def _value_at(location: Loc, source: Source) -> Any:
    value: Any = source.data
    for part in location:
        value = value[part]
    return value


def _problem(detail: dict[str, Any], source: Source, location: Loc) -> Problem:
    kind, context = detail["type"], detail.get("ctx", {})
    name = _name(location, source)
    if kind == "missing":
        # The input of a key that a validator requires is its own value.
        data = detail["input"] if isinstance(detail["input"], dict) else _value_at(location, source)
        return _missing(source.term(str(detail["loc"][-1])), context.get("alternative"), data, source, location)
    if kind in _BOUNDS:
        message = f"'{name}' must be {_BOUNDS[kind](context)} (given {format_value(detail['input'])})"
        return source.problem(location, message, code="type")
    if kind == "union_tag_invalid":
        key, tag = context["discriminator"], format_value(context["tag"])
        message = f"{key} must be one of {context['expected_tags']} (given {tag})"
        return source.problem((*location, key.strip("'")), message, code="type")
    if kind == "extra_forbidden":
        message = f"unknown key '{name}'; correct or remove it"
        return source.problem(location, message, code="unknown-key", key=True)
    if kind == "unknown_step_type":
        return source.problem(location, context["message"], code="unknown-type")
    if kind == "value_error":
        return source.problem(location, str(context["error"]), code="invalid")
    if kind == "too_short":
        return source.problem(location, f"'{name}' must not be empty", code="invalid")
    return source.problem(location, f"'{name}': {detail['msg']}", code="invalid")


def _document_loc(pydantic_loc: tuple[str | int, ...], source: Source, loc: Loc) -> Loc:
    """Return a pydantic location without the names of union members."""
    value: Any = source.data
    for part in loc:
        value = value[part]
    document_loc: list[str | int] = []
    for part in pydantic_loc:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            continue
        document_loc.append(part)
    return tuple(document_loc)
