"""The keywords of one type that every provider accepts; others become notes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from .branches import Branch
from .notes import list_values
from .patterns import is_portable_pattern

_LARGEST_LENGTH: Final = 2**53 - 1
_LARGEST_NUMBER: Final = 2**63

_FORMATS: Final = frozenset({"date-time"})
"""Formats of strings that Gemini's API accepts beside `enum`."""

_IMPLIED_FORMATS: Final = frozenset({"float", "double", "int32", "int64", "string", "number", "integer"})
"""Formats that tell a model nothing."""

_LENGTHS: Final[Mapping[str, tuple[str, ...]]] = {
    "object": ("minProperties", "maxProperties"),
    "array": ("minItems", "maxItems"),
    "string": ("minLength", "maxLength"),
}


def portable_keywords(branch: Branch) -> tuple[dict[str, Any], list[str]]:
    """Return the keywords of a branch, without those of its members, and notes for its description."""
    keywords: dict[str, Any] = {}
    notes: list[str] = []
    if branch.type == "string":
        _add_enum(branch, keywords, notes)
        _add_text(branch.keywords, keywords, notes)
    elif branch.type in ("number", "integer"):
        _add_limits(branch, keywords, notes)
    elif branch.type == "boolean" and branch.values is not None and len(set(branch.values)) == 1:
        notes.append(f"Always {str(branch.values[0]).lower()}.")
    elif branch.type in ("object", "array") and branch.values is not None and (text := list_values(branch.values)):
        notes.append(f"Allowed values: {text}.")
    for key in _LENGTHS.get(branch.type, ()):
        if (length := _length(branch.keywords.get(key))) is not None:
            keywords[key] = length
    if branch.keywords.get("uniqueItems") is True:
        notes.append("Elements are unique.")
    return keywords, notes


def _add_enum(branch: Branch, keywords: dict[str, Any], notes: list[str]) -> None:
    if branch.values is None:
        return
    values = list(dict.fromkeys(branch.values))
    if "" not in values:
        keywords["enum"] = values
    elif text := list_values(values):  # Gemini refuses an empty string in `enum`
        notes.append(f"One of {text}.")


def _add_text(declared: Mapping[str, Any], keywords: dict[str, Any], notes: list[str]) -> None:
    pattern, text_format = declared.get("pattern"), declared.get("format")
    if isinstance(pattern, str):
        if is_portable_pattern(pattern):
            keywords["pattern"] = pattern
        elif len(pattern) <= 100:
            notes.append(f"Pattern: `{pattern}`.")
    if isinstance(text_format, str) and text_format:
        if text_format in _FORMATS and "enum" not in keywords:
            keywords["format"] = text_format
        elif text_format not in _IMPLIED_FORMATS:
            notes.append(f"Format: {text_format}.")
    if isinstance(encoding := declared.get("contentEncoding"), str):
        notes.append(f"Encoding: {encoding}.")
    if isinstance(media_type := declared.get("contentMediaType"), str):
        notes.append(f"Media type: {media_type}.")


def _length(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST_LENGTH:
        return None
    return int(value) if value == value // 1 else None


def _number(value: Any) -> int | float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # JSON libraries and protocol buffers have no larger integers.
    return value if is_number and math.isfinite(value) and abs(value) < _LARGEST_NUMBER else None


def _add_limits(branch: Branch, keywords: dict[str, Any], notes: list[str]) -> None:
    declared = branch.keywords
    for key, exclusive_key, step, words in (
        ("minimum", "exclusiveMinimum", 1, "Greater than"),
        ("maximum", "exclusiveMaximum", -1, "Less than"),
    ):
        limit, exclusive = _number(declared.get(key)), _number(declared.get(exclusive_key))
        if declared.get(exclusive_key) is True:  # draft 4: a flag beside the limit
            limit, exclusive = None, limit
        if exclusive is not None and (limit is None or (exclusive - limit) * step >= 0):
            if branch.type == "integer" and exclusive == exclusive // 1:
                limit = int(exclusive) + step
            else:
                limit = exclusive
                notes.append(f"{words} {exclusive}.")
        if limit is not None:
            keywords[key] = limit
    if (multiple := _number(declared.get("multipleOf"))) is not None:
        notes.append(f"A multiple of {multiple}.")
    _add_numbers(branch, keywords, notes)


def _add_numbers(branch: Branch, keywords: dict[str, Any], notes: list[str]) -> None:
    """Express allowed numbers as limits and a note: Gemini's `enum` has only strings."""
    if branch.values is None:
        return
    numbers = [_number(value) for value in branch.values]
    known = [number for number in numbers if number is not None]
    if len(known) == len(numbers) and known:
        keywords["minimum"], keywords["maximum"] = min(known), max(known)
    if text := list_values(branch.values):
        notes.append(f"One of {text}.")
