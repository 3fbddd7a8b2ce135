"""Wording shared by every message about a document."""

import difflib
from collections.abc import Iterable

_LONGEST_WORD = 64
_LONGEST_VALUE = 60


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """``; did you mean 'timeout'?`` when one of the words is close, or nothing."""
    close = closest(word, words)
    return f"; did you mean {close!r}?" if close else ""


def closest(word: str, words: Iterable[str]) -> str | None:
    """Return the one of the words that is likely meant by `word`, if any."""
    if len(word) > _LONGEST_WORD:
        return None
    known = {candidate.casefold(): candidate for candidate in words}
    close = difflib.get_close_matches(word.casefold(), known, n=1, cutoff=0.7)
    return known[close[0]] if close else None


def listed(words: Iterable[str], last: str = "or") -> str:
    """Return the words as a list: ``a, b or c``."""
    items = list(words)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def shown(value: object) -> str:
    """Return a value as it may stand in a message: scalars themselves, clipped; of collections only the kind."""
    if isinstance(value, str):
        clipped = value if len(value) <= _LONGEST_VALUE else value[: _LONGEST_VALUE - 3] + "..."
        return repr(clipped)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a very long number"
    if isinstance(value, (int, float)):
        return str(value)
    return kind_of(value)


def kind_of(value: object) -> str:
    """Return a value's kind in YAML's words: ``a mapping``, ``text``, ``nothing``."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, (list, tuple)) else "a mapping"
