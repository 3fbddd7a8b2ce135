"""Patterns of texts: regular expressions of ECMA 262, matched in linear time.

The engine is the one of pydantic-core, Rust's `regex`: it follows all alternatives at once, so the time of a match is
bounded by the pattern's size times the text's length.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from pydantic_core import SchemaError, SchemaValidator, core_schema

from .ecma262 import Translation, translate
from .ecma262_characters import PatternSyntaxError

MAX_STEPS: Final = 5_000_000
"""The maximum size of a pattern times the length of a text: a tenth of a second in the worst case."""

_LONGEST_QUOTE: Final = 60


class PatternError(ValueError):
    """A pattern is invalid or not supported; the message has the reason."""


class Pattern:
    """A compiled pattern; `matches` returns True if it is found anywhere in a text of at most `longest` characters."""

    __slots__ = ("longest", "matches", "text")

    matches: Callable[[str], bool]

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            translation = translate(text, _is_property)
        except PatternSyntaxError as error:
            reason = f"{error.reason} (character {error.position})"
            raise PatternError(f"the pattern {_quote(text)} is not supported: {reason}; {error.fix}") from None
        self.longest = MAX_STEPS // max(1, translation.size)
        try:
            self.matches = _compile(translation)
        except SchemaError:
            message = f"the pattern {_quote(text)} is too large; use smaller numbers in braces, or '*'"
            raise PatternError(message) from None

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


def compile_pattern(text: str) -> Pattern:
    """Compile a regular expression of ECMA 262; raise `PatternError`."""
    return _compiled(text)


@lru_cache(maxsize=4096)
def _compiled(text: str) -> Pattern:
    return Pattern(text)


def _compile(translation: Translation) -> Callable[[str], bool]:
    found = _finder(translation.pattern)
    if translation.lengths is not None:
        return _with_length(found, *translation.lengths)
    if translation.conditions:
        conditions = tuple((_finder(pattern), wanted) for pattern, wanted in translation.conditions)
        return lambda text: found(text) and all(find(text) is wanted for find, wanted in conditions)
    return found


def _with_length(found: Callable[[str], bool], least: int, most: int | None) -> Callable[[str], bool]:
    if most is None:
        return lambda text: least <= len(text) and found(text)
    return lambda text: least <= len(text) <= most and found(text)


def _finder(pattern: str) -> Callable[[str], bool]:
    schema = core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")
    return SchemaValidator(schema).isinstance_python


@lru_cache(maxsize=256)
def _is_property(name: str) -> bool:
    try:
        _finder(f"\\p{{{name}}}")
    except SchemaError:
        return False
    return True


def _quote(text: str) -> str:
    return f"'{text}'" if len(text) <= _LONGEST_QUOTE else f"'{text[:_LONGEST_QUOTE]}...'"
