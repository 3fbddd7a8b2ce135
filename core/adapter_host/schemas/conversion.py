"""Convert text to the values that it stands for."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, Final

from adapter_host.json_nesting import parse_json
from adapter_host.json_numbers import parse_decimal

from .values import is_type
from .violations import Path, Validator, Violation

_LONGEST_NUMBER: Final = 300
"""Characters; a float has no larger integers."""
_INTEGER: Final = re.compile(r"[+-]?[0-9]+").fullmatch
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?").fullmatch
_LEADING_ZEROS: Final = re.compile(r"^([+-]?)0+(?=[0-9])")

_ROUNDS: Final = 5
"""Values in converted values are converted too, to this depth of texts within texts."""

_MOST: Final = 10_000
"""The texts that are converted at once."""

_LITERALS: Final = {"true": True, "false": False}


def convert_text(text: str, types: Iterable[str]) -> Any:
    """Return the value of one of the types that a text stands for; the text if it does not, or may be text."""
    due = frozenset(types)
    if "string" in due:
        return text
    if "boolean" in due and text in _LITERALS:
        return _LITERALS[text]
    if "null" in due and text == "null":
        return None
    try:
        if "number" in due or "integer" in due:
            return parse_number(text) if "number" in due else parse_integer(text)
    except ValueError:
        pass  # It may be a structure.
    return _structure(text, due)


def _structure(text: str, due: frozenset[str]) -> Any:
    expected = {"{": "object", "[": "array"}.get(text.lstrip()[:1])
    if expected not in due:
        return text
    try:
        return parse_json(text)
    except ValueError:
        return text


def convert_texts(value: Any, validate: Validator) -> Any:
    """Return a value with the texts in it converted where the schema asks for another type."""
    for _ in range(_ROUNDS):
        wrong = [
            violation for violation in validate(value, _MOST) if violation.types and "string" not in violation.types
        ]
        changes = [(each.path, after) for each in wrong if (after := _converted(value, each)) is not None]
        if not changes:
            break
        for path, (after,) in changes:
            value = _with_value(value, path, after)
    return value


def _converted(value: Any, violation: Violation) -> tuple[Any] | None:
    for key in violation.path:
        value = value[key]
    if not isinstance(value, str):
        return None
    after = convert_text(value, violation.types)
    return (after,) if any(is_type(after, name) for name in violation.types) else None


def _with_value(value: Any, path: Path, after: Any) -> Any:
    """Return a copy of a value with another one at a path."""
    if not path:
        return after
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _with_value(value[path[0]], path[1:], after)
    return copy


def parse_integer(text: str) -> int:
    """Parse an integer of at most 300 characters; raise `ValueError`."""
    if not _INTEGER(text) or len(text) > _LONGEST_NUMBER:
        raise ValueError("not an integer")
    return int(text)


def parse_number(text: str) -> int | float:
    """Parse a number of at most 300 characters; raise `ValueError`."""
    match = _NUMBER(text)
    if match is None:
        raise ValueError("not a number")
    if match.lastindex is None:
        return parse_integer(text)
    if len(text) > _LONGEST_NUMBER or not math.isfinite(float(text)):
        raise ValueError("out of range")
    # JSON has neither a plus sign nor leading zeros.
    return parse_decimal(_LEADING_ZEROS.sub(r"\1", text).removeprefix("+"))
