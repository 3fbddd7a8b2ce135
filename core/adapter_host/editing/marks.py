"""The parts of a text that lines and columns name."""

from __future__ import annotations

from functools import cached_property

from adapter_host.document.source import LINE_BREAK, Source
from adapter_host.document.text.layout import Layout
from adapter_host.errors import ProblemsError

from .cursor import place_at


class Marks:
    """Positions in a text, by the lines and columns of its document, which start at 1."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(match.end() for match in LINE_BREAK.finditer(text))]

    def position(self, line: int, column: int) -> int:
        """Return the number of characters before a line and column."""
        start = self._starts[min(max(line, 1), len(self._starts)) - 1]
        return min(start + max(column, 1) - 1, len(self._text))

    def range_of(self, line: int, column: int) -> tuple[int, int]:
        """Return start and end of the key or value that begins at a line and column, within the line."""
        start = self.position(line, column)
        match = LINE_BREAK.search(self._text, start)
        line_end = match.start() if match else len(self._text)
        place = None if self._layout is None else place_at(self._layout, start)
        end = place.end if place is not None and place.start == start else line_end
        return start, max(start, min(end, line_end))

    @cached_property
    def _layout(self) -> Layout | None:
        try:
            Source.parse(self._text, "")
        except ProblemsError:
            return None
        return Layout(self._text)
