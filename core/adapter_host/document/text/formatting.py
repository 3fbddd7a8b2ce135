"""Formatting of YAML text: indentation, blank lines and spaces at the ends of lines; everything else stays as it is."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Final

from adapter_host.document.source import Source
from adapter_host.errors import Problem, ProblemsError

from .layout import Entry, Layout, Span

INDENT: Final = 2

_OTHER_BREAK: Final = re.compile("\r(?!\n)|[\x85\u2028\u2029]")
_COMMENT_LINE: Final = re.compile(r"[ ]*#")

Edit = tuple[int, int, str]


def formatted(text: str, file: str) -> str:
    """Return a text with each level indented by two spaces, lists too, and at most one blank line in a row.

    Comments, quotes, the order of keys, and the lines of texts in several lines stay. Raise `ProblemsError` if the text
    is not valid, or cannot be formatted without a change of its meaning.
    """
    source = Source.parse(text, file)
    mark, bare = ("\ufeff", text[1:]) if text.startswith("\ufeff") else ("", text)
    if _OTHER_BREAK.search(bare):
        message = "not formatted, because it has line breaks other than LF and CRLF; write them as escapes in quotes"
        raise ProblemsError([Problem(message, file, 1, 1, "line-breaks")])
    changed = _Formatter(bare).run()
    try:
        is_same = Source.parse(changed, file).data == source.data
    except ProblemsError:
        is_same = False
    if not is_same:
        message = "not formatted, because its meaning would change; write anchors, tags and '?' keys in another way"
        raise ProblemsError([Problem(message, file, 1, 1, "not-formatted")])
    return mark + changed


class _Formatter:
    """Finds the new columns of lines: those that begin with an entry, and by how much the lines after it move."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._layout = Layout(text)
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._moved: dict[int, int] = {}
        """The spaces that are added before the lines that begin with an entry, by line; negative ones are removed."""
        self._continued: dict[int, int] = {}
        """The same for the other lines of values."""
        self._gaps: list[Edit] = []

    def run(self) -> str:
        self._place(self._layout.root, 0)
        text, position, parts = self._text, 0, list[str]()
        for start, end, replacement in sorted([*self._gaps, *self._line_edits()]):
            parts += [text[position:start], replacement]
            position = end
        changed = "".join([*parts, text[position:]])
        if len(self._starts) - (2 if text.endswith("\n") else 1) in self._continued:
            return changed  # line breaks at the end may be a part of the last value
        return changed.rstrip("\r\n") + ("\r\n" if "\r\n" in text else "\n")

    def _line(self, position: int) -> int:
        return bisect_right(self._starts, position) - 1

    def _place(self, span: Span, column: int) -> None:
        """Place the entries of a block collection at a column."""
        for entry in span.children:
            delta = column - (entry.start - self._layout.line_start(entry.start))
            if self._layout.is_first_on_line(entry.start):
                self._moved[self._line(entry.start)] = delta
            value = entry.value
            if span.kind == "sequence":
                self._close_gap(entry)
            if _is_block(value):
                self._place(value, column + INDENT)
            else:
                for line in range(self._line(entry.start) + 1, self._line(max(value.end, entry.start)) + 1):
                    self._continued[line] = delta

    def _close_gap(self, entry: Entry) -> None:
        """Leave one space between a dash and its value on the same line."""
        start = entry.value.children[0].start if _is_block(entry.value) else entry.value.start
        gap = self._text[entry.key_end : start]
        if gap and not gap.strip(" "):
            self._gaps.append((entry.key_end, start, " "))

    def _line_edits(self) -> Iterator[Edit]:
        blank = True
        moved_lines, by_column = sorted(self._moved), dict[int, int]()
        for number, start in enumerate(self._starts):
            end = self._layout.line_end(start)
            line = self._text[start:end]
            if number in self._moved:
                by_column[_indent(line)] = self._moved[number]
            if number in self._continued:
                yield start, start + _indent(line), " " * max(0, _indent(line) + self._continued[number])
                blank = False
                continue
            if not line.strip():
                yield start, self._layout.next_line(start) if blank else end, ""
                blank = True
                continue
            blank = False
            delta = self._moved.get(number, 0)
            if _COMMENT_LINE.match(line):
                index = bisect_right(moved_lines, number)
                delta = self._comment_delta(_indent(line), moved_lines[index : index + 1], by_column)
            yield start, start + _indent(line), " " * max(0, _indent(line) + delta)
            if number + 1 not in self._continued and (bare := line.rstrip(" \t")) != line:
                yield start + len(bare), end, ""

    def _comment_delta(self, column: int, following: list[int], by_column: Mapping[int, int]) -> int:
        """Return by how much a comment moves: as the next entry does, or the last one before it in its column."""
        if following and self._column(following[0]) == column:
            return self._moved[following[0]]
        return by_column.get(column, 0)

    def _column(self, number: int) -> int:
        start = self._starts[number]
        return _indent(self._text[start : self._layout.line_end(start)])


def _is_block(value: Span) -> bool:
    return bool(value.children) and not value.is_flow


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
