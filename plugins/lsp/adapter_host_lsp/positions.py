"""Positions of the protocol: lines and code units, as the client counts them, and characters of a text."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

from lsprotocol import types

_LINE_BREAK: Final = re.compile(r"\r\n|[\r\n]")
_UNITS: Final = {
    types.PositionEncodingKind.Utf8: ("utf-8", 1),
    types.PositionEncodingKind.Utf16: ("utf-16-le", 2),
    types.PositionEncodingKind.Utf32: ("utf-32-le", 4),
}


class TextPositions:
    """Converts the positions of one text; characters are those of Python, and lines end as the protocol has it.

    `units` are those of the protocol's columns: UTF-16 code units if nothing else is negotiated.
    """

    def __init__(self, text: str, units: str = types.PositionEncodingKind.Utf16) -> None:
        self._text = text
        self._encoding, self._size = _UNITS[types.PositionEncodingKind(units)]
        self._starts = [0, *(match.end() for match in _LINE_BREAK.finditer(text))]

    def offset(self, position: types.Position) -> int:
        """Return the number of characters before a position; one behind the end of its line is that end."""
        if position.line >= len(self._starts):
            return len(self._text)
        start = self._starts[position.line]
        match = _LINE_BREAK.search(self._text, start)
        line = self._text[start : match.start() if match else len(self._text)]
        encoded = line.encode(self._encoding, "surrogatepass")[: position.character * self._size]
        return start + len(encoded.decode(self._encoding, "ignore"))

    def position(self, offset: int) -> types.Position:
        """Return the position of a number of characters."""
        line = bisect_right(self._starts, offset) - 1
        before = self._text[self._starts[line] : offset]
        return types.Position(line, len(before.encode(self._encoding, "surrogatepass")) // self._size)

    def range(self, start: int, end: int) -> types.Range:
        """Return the range between two numbers of characters."""
        return types.Range(self.position(start), self.position(end))
