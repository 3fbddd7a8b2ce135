r"""Translate regular expressions of ECMA 262 to the syntax of Rust's `regex` crate, which has no backtracking.

They have the meaning of the flag `u`: text is a sequence of code points, `\d`, `\w` and `\b` are ASCII, `$` is the end.
As in patterns without the flag (Annex B of ECMA 262), punctuation may be escaped without need, and `{`, `}` and `]` may
stand for themselves. Look-ahead is supported where it is a condition on the whole text: after a leading `^`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .ecma262_characters import CharacterReader

MAX_POSITIONS: Final = 5000
"""The maximum size of a pattern: its characters and classes, each times its repetitions."""

_MAX_DEPTH: Final = 50

_LINE_BREAKS: Final = r"\n\r\x{2028}\x{2029}"
_QUANTIFIER: Final = re.compile(r"\{([0-9]+)(?:(,)([0-9]*))?\}|[*+?]")
_GROUP: Final = re.compile(r"\?(?:(:)|<([A-Za-z_$][A-Za-z0-9_$]*)>|(-?i):|(<?[=!]))")


@dataclass(frozen=True, slots=True)
class Translation:
    """A pattern for Rust, and what else the text must fulfil.

    `conditions` are patterns that must be found (True) or not be found (False). `size` counts positions. `lengths` are
    the least and the greatest number of characters; the pattern itself does not count them.
    """

    pattern: str
    size: int
    conditions: tuple[tuple[str, bool], ...] = ()
    lengths: tuple[int, int | None] | None = None


@dataclass(slots=True)
class _Term:
    """A part of a sequence; `repeated` has the least and greatest number of repetitions, `single` is one character."""

    text: str
    size: int
    atom: bool = True
    single: bool = False
    repeated: tuple[int, int | None] | None = None


def translate(text: str, is_property: Callable[[str], bool]) -> Translation:
    r"""Translate a pattern; `is_property` knows the names in `\p{...}`. Raise `PatternSyntaxError`."""
    return _Translator(text, is_property).translate()


class _Translator(CharacterReader):
    def __init__(self, text: str, is_property: Callable[[str], bool]) -> None:
        super().__init__(text, is_property)
        self._conditions: list[tuple[str, bool]] = []
        self._condition_size = 0

    def translate(self) -> Translation:
        alternatives = self._alternatives(0)
        if self._at < len(self._text):
            raise self._error("a ')' has no '('", r"write '\)'", self._at)
        if self._conditions and len(alternatives) > 1:
            raise self._error(
                "a look-ahead is in one of several alternatives", "put the alternatives into '(?:...)'", 0
            )
        size = _size_of(alternatives) + self._condition_size
        if not self._conditions and (counted := _counted(alternatives)) is not None:
            return counted
        self._check_size(size, 0)
        return Translation(_join(alternatives), size, tuple(self._conditions))

    def _check_size(self, size: int, at: int) -> None:
        if size > MAX_POSITIONS:
            reason = f"it has more than {MAX_POSITIONS:,} characters and classes, each times its repetitions"
            raise self._error(reason, "use smaller numbers in braces, or '*'", at)

    def _alternatives(self, depth: int) -> list[list[_Term]]:
        """Read alternatives up to a ')' or the end."""
        alternatives: list[list[_Term]] = [[]]
        while self._at < len(self._text) and self._text[self._at] != ")":
            if self._next("|"):
                alternatives.append([])
            else:
                self._add_term(alternatives[-1], depth)
        return alternatives

    def _add_term(self, terms: list[_Term], depth: int) -> None:
        start = self._at
        quantifier = _QUANTIFIER.match(self._text, start)
        if quantifier is not None:
            if not terms or not terms[-1].atom:
                raise self._error(f"'{quantifier[0]}' has nothing to repeat", f"write '\\{quantifier[0]}'", start)
            self._repeat(terms[-1], quantifier)
        elif self._text.startswith("{,", start):
            raise self._error("a quantifier has no first number", "write '{0,' for '{,'", start)
        elif self._next("("):
            self._group(terms, depth, start)
        elif self._next("["):
            terms.append(_Term(self._class(start), 1, single=True))
        elif self._next("."):
            terms.append(_Term(f"[^{_LINE_BREAKS}]", 1, single=True))
        elif self._next("^") or self._next("$"):
            terms.append(_Term(self._text[start], 0, atom=False))
        elif self._next("\\b") or self._next("\\B"):
            terms.append(_Term(f"(?-u:{self._text[start : self._at]})", 0, atom=False))
        else:
            terms.append(_Term(f"[{self._member()[0]}]", 1, single=True))

    def _repeat(self, term: _Term, quantifier: re.Match[str]) -> None:
        least, most = _repetitions(quantifier)
        if most is not None and least > most:
            raise self._error(f"the numbers in '{quantifier[0]}' are out of order", "put the smaller first", self._at)
        self._at = quantifier.end()
        self._next("?")
        term.repeated, term.atom = (least, most), False
        if not term.single:
            self._check_size(term.size * _factor(term), quantifier.start())

    def _group(self, terms: list[_Term], depth: int, start: int) -> None:
        opening = "(?:"
        condition = None
        if self._text.startswith("?", self._at):
            kind = _GROUP.match(self._text, self._at)
            if kind is None:
                raise self._error(f"'({self._text[self._at : self._at + 3]}' is not a group", _group_fix(self), start)
            self._at = kind.end()
            opening = f"(?{kind[3]}:" if kind[3] else opening
            condition = kind[4]
        if condition is not None and not (depth == 0 and condition in "=!" and self._is_leading(terms)):
            raise self._error(
                f"a look-{'behind' if '<' in condition else 'ahead'} is not supported here",
                "only look-ahead directly after a leading '^' is; remove it, or check the value in a script step",
                start,
            )
        if depth == _MAX_DEPTH:
            raise self._error(f"groups are nested more than {_MAX_DEPTH} levels deep", "use fewer groups", start)
        inner = self._alternatives(depth + 1)
        if not self._next(")"):
            raise self._error("a '(' has no ')'", r"add ')', or write '\('", start)
        if condition is None:
            terms.append(_Term(f"{opening}{_join(inner)})", _size_of(inner)))
        else:
            self._conditions.append((f"^(?:{_join(inner)})", condition == "="))
            self._condition_size += _size_of(inner)
            terms.append(_Term("", 0, atom=False))

    def _is_leading(self, terms: list[_Term]) -> bool:
        # A look-ahead is a term without text.
        return self._text.startswith("^") and "".join(term.text for term in terms) == "^"


def _group_fix(translator: _Translator) -> str:
    following = translator._text[translator._at : translator._at + 3]
    if following == "?P<":
        return "write '(?<name>...)'"
    return "write '(?i:...)'" if following == "?i)" else r"write '\(' for a parenthesis, '(?:...)' for a group"


def _repetitions(quantifier: re.Match[str]) -> tuple[int, int | None]:
    simple = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(quantifier[0])
    if simple is not None:
        return simple
    # More digits are beyond any limit, and Python refuses to read very many.
    least = int(quantifier[1][:9])
    if quantifier[2] is None:
        return least, least
    return least, int(quantifier[3][:9]) if quantifier[3] else None


def _factor(term: _Term) -> int:
    return 1 if term.repeated is None else max(1, term.repeated[0], term.repeated[1] or 0)


def _size_of(alternatives: list[list[_Term]]) -> int:
    return sum(term.size * _factor(term) for terms in alternatives for term in terms)


def _join(alternatives: list[list[_Term]]) -> str:
    return "|".join("".join(term.text + _quantifier_text(term) for term in terms) for terms in alternatives)


def _quantifier_text(term: _Term) -> str:
    if term.repeated is None:
        return ""
    least, most = term.repeated
    if most is None:
        return {0: "*", 1: "+"}.get(least, f"{{{least},}}")
    return f"{{{least},{most}}}"


def _counted(alternatives: list[list[_Term]]) -> Translation | None:
    """Return `^x{n,m}$` as a repetition and a length, which is faster and has no limit; None for other patterns."""
    terms = alternatives[0]
    if len(alternatives) > 1 or [term.text for term in terms[::2]] != ["^", "$"]:
        return None
    counted = terms[1]
    if not counted.single or counted.repeated is None:
        return None
    return Translation(f"^{counted.text}*$", 1, lengths=counted.repeated)
