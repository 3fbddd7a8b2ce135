"""Patterns that every provider's and client's regular expressions read in the same way."""

from __future__ import annotations

import re
from typing import Final

_LONGEST: Final = 500

_PIECE: Final = re.compile(
    r"""
    (?P<escape> \\ (?: [dDwWsSbBnrtfv] | [\^$\\.*+?()\[\]{}|/] ) )
    | (?P<open> \( (?: \?: | (?!\?) ) )
    | (?P<close> \) )
    | (?P<class> \[ \^? (?!\^) (?: \\ [dDwWsSnrtfv\^$\\.*+?()\[\]{}|/-] | [^\\\[\]] )+ \] )
    | (?P<quantifier> [*+?] \?? | \{ [0-9]{1,4} (?: , (?:[0-9]{1,4})? )? \} \?? )
    | (?P<alternative> \| )
    | (?P<anchor> [\^$] )
    | (?P<literal> [^\\()\[\]{}*+?|^$] )
    """,
    re.VERBOSE,
)
"""The syntax that ECMA-262 with the `u` flag, Python and RE2 share: no lookaround, back reference or named group."""

_SET_OPERATION: Final = re.compile(r"&&|--|~~|\|\||\\[dDwWsS]-|-\\[dDwWsS]")
"""Operations on sets of characters, and ranges to a set, on which the languages differ."""

_UNREPEATABLE: Final = frozenset({None, "open", "quantifier", "alternative", "anchor"})


def is_portable_pattern(pattern: str) -> bool:
    """Return whether a pattern has only the syntax that ECMA-262, Python and RE2 share."""
    if len(pattern) > _LONGEST:
        return False
    position, groups, before = 0, 0, None
    while position < len(pattern):
        piece = _PIECE.match(pattern, position)
        if piece is None:
            return False
        kind = piece.lastgroup
        if kind == "quantifier" and before in _UNREPEATABLE:
            return False
        groups += (kind == "open") - (kind == "close")
        if groups < 0 or (kind == "escape" and piece.group() in (r"\b", r"\B") and _repeats(pattern, piece.end())):
            return False
        if kind == "class" and _SET_OPERATION.search(piece.group()):
            return False
        position, before = piece.end(), kind
    return groups == 0 and _compiles(pattern)


def _repeats(pattern: str, position: int) -> bool:
    return pattern[position : position + 1] in ("*", "+", "?", "{")


def _compiles(pattern: str) -> bool:
    # Ranges such as `[z-a]`, and repetitions such as `{3,1}`, are left to a real compiler.
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True
