"""Wording shared by messages about documents."""

import difflib
import re
from collections.abc import Iterable

_LONGEST_WORD = 64
_LONGEST_VALUE = 60

_QUOTED = re.compile("'([^']*)'")
_SUGGESTION = re.compile(r"; did you mean '([^']*)'\?")


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return ``; did you mean 'timeout'?`` if a candidate is close, else an empty string."""
    match = closest_match(word, candidates)
    return f"; did you mean {match!r}?" if match else ""


def suggestion_in(message: str) -> tuple[str, str] | None:
    """Return the wrong word of a message, which is the first in quotes, and the word of its `did_you_mean`, if any."""
    suggested = _SUGGESTION.search(message)
    wrong = _QUOTED.search(message)
    return (wrong[1], suggested[1]) if suggested and wrong and wrong.start() < suggested.start() else None


def closest_match(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate closest to `word`, or None."""
    if len(word) > _LONGEST_WORD:
        return None
    by_casefold = {candidate.casefold(): candidate for candidate in candidates}
    matches = difflib.get_close_matches(word.casefold(), by_casefold, n=1, cutoff=0.7)
    return by_casefold[matches[0]] if matches else None


def join_words(candidates: Iterable[str], conjunction: str = "or") -> str:
    """Return the words as ``a, b or c``."""
    items = list(candidates)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {conjunction} {items[-1]}"


def count_noun(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 call`` or ``2 calls``."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def format_value(value: object) -> str:
    """Return a value for a message: a scalar, shortened, or the type of a collection."""
    if isinstance(value, str):
        clipped = value if len(value) <= _LONGEST_VALUE else value[: _LONGEST_VALUE - 3] + "..."
        return repr(clipped)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a very long number"
    if isinstance(value, (int, float)):
        return str(value)
    return describe_type(value)


def describe_type(value: object) -> str:
    """Return the type of a value in YAML's words: ``a mapping``, ``text``, ``nothing``."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, (list, tuple)) else "a mapping"
