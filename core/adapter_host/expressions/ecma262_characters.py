"""Read the characters, escapes and classes of a regular expression of ECMA 262, and write them for Rust."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_MAX_CODE_POINT: Final = 0x10FFFF
_ANY: Final = r"\x{0}-\x{10FFFF}"
_CLASSES: Final = {
    "d": "0-9",
    "w": "0-9A-Za-z_",
    "s": r"\t-\r \x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}\x{FEFF}",
}
_CONTROLS: Final = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_HEX: Final = re.compile(r"x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|u\{0*([0-9A-Fa-f]{1,6})\}")
_LOW_SURROGATE: Final = re.compile(r"\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})")
_PROPERTY: Final = re.compile(r"[pP]\{([A-Za-z0-9_]+(?:=[A-Za-z0-9_]+)?)\}")
_REPLACEMENTS: Final = {"A": "^", "Z": "$", "z": "$", "h": r"[ \t]", "e": r"\x1b", "a": r"\x07"}


class PatternSyntaxError(ValueError):
    """A pattern is not supported; `position` is the number of the character, from 1."""

    def __init__(self, reason: str, fix: str, position: int) -> None:
        super().__init__(reason)
        self.reason, self.fix, self.position = reason, fix, position


class CharacterReader:
    r"""Reads a pattern from `_at`; `is_property` knows the names in `\p{...}`."""

    def __init__(self, text: str, is_property: Callable[[str], bool]) -> None:
        self._text = text
        self._is_property = is_property
        self._at = 0

    def _error(self, reason: str, fix: str, at: int) -> PatternSyntaxError:
        return PatternSyntaxError(reason, fix, at + 1)

    def _next(self, text: str) -> bool:
        if self._text.startswith(text, self._at):
            self._at += len(text)
            return True
        return False

    def _class(self, start: int) -> str:
        """Read a class after its '['; return it for Rust."""
        negated = "^" if self._next("^") else ""
        members: list[str] = []
        while not self._next("]"):
            if self._at == len(self._text):
                raise self._error("a '[' has no ']'", r"add ']', or write '\['", start)
            members.append(self._range())
        if not members:
            return f"[{_ANY}]" if negated else f"[^{_ANY}]"
        return f"[{negated}{''.join(members)}]"

    def _range(self) -> str:
        start = self._at
        first, low = self._member(in_class=True)
        if not self._text.startswith("-", self._at) or self._text.startswith("-]", self._at):
            return first
        self._at += 1
        if self._at == len(self._text):
            return first
        last, high = self._member(in_class=True)
        if low is None or high is None:
            # With a class such as `\w` on one side, the hyphen is a member.
            return rf"{first}\-{last}"
        if low > high:
            raise self._error(
                f"the range '{self._text[start : self._at]}' is out of order", "put the lower first", start
            )
        return f"{first}-{last}"

    def _member(self, *, in_class: bool = False) -> tuple[str, int | None]:
        """Read one character or an escape; return it as a member of a class, and its code point if it is one."""
        char = self._text[self._at]
        self._at += 1
        return self._escape(self._at - 1, in_class=in_class) if char == "\\" else self._character(ord(char))

    def _character(self, code: int) -> tuple[str, int]:
        if 0xD800 <= code <= 0xDFFF or code > _MAX_CODE_POINT:
            raise self._error(f"U+{code:04X} is not a character", "write the character itself", self._at - 1)
        return f"\\x{{{code:X}}}", code

    def _escape(self, start: int, *, in_class: bool) -> tuple[str, int | None]:
        char = self._text[self._at : self._at + 1]
        if not char:
            raise self._error("it ends with a '\\'", r"write '\\'", start)
        if (code := self._code_point(char, in_class=in_class)) is not None:
            return self._character(code)
        if char.lower() in _CLASSES:
            self._at += 1
            members = _CLASSES[char.lower()]
            return (members if char.islower() else f"[^{members}]"), None
        if char in "pP":
            return self._property(start), None
        if char in "123456789k" and not in_class:
            raise self._error("a back-reference is not supported", "repeat the group, or remove it", start)
        if char.isalnum():
            fix = f"write '{_REPLACEMENTS[char]}'" if char in _REPLACEMENTS else f"write '{char}'"
            raise self._error(f"'\\{char}' is not an escape", fix, start)
        self._at += 1
        return self._character(ord(char))

    def _code_point(self, char: str, *, in_class: bool) -> int | None:
        """Read an escape of one character after its backslash; return None for others."""
        if char in _CONTROLS:
            self._at += 1
            return _CONTROLS[char]
        following = self._text[self._at + 1 : self._at + 2]
        if char == "b" and in_class:
            self._at += 1
            return 8
        if char == "0" and not following.isdigit():
            self._at += 1
            return 0
        if char == "c" and following.isascii() and following.isalpha():
            self._at += 2
            return ord(following) % 32
        escaped = _HEX.match(self._text, self._at)
        if escaped is None:
            return None
        self._at = escaped.end()
        code = int(escaped[1] or escaped[2] or escaped[3], 16)
        low = _LOW_SURROGATE.match(self._text, self._at) if 0xD800 <= code <= 0xDBFF and escaped[2] else None
        if low is None:
            return code
        self._at = low.end()
        return 0x10000 + ((code - 0xD800) << 10) + (int(low[1], 16) - 0xDC00)

    def _property(self, start: int) -> str:
        named = _PROPERTY.match(self._text, self._at)
        if named is None or not self._is_property(named[1]):
            shown = named[0] if named else self._text[self._at]
            raise self._error(f"'\\{shown}' is not a property of Unicode", r"write one such as '\p{L}'", start)
        self._at = named.end()
        return f"\\{named[0]}"
