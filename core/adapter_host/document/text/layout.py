"""Where the values of a YAML document are in its text, and its comments."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

import yaml

from adapter_host.document.nodes import Loc
from adapter_host.document.yaml_reader import LOADER

_MERGE = "<<"
_COMMENT = re.compile(r"(?:(?<=[ \t\n\r])|^)#[^\n\r]*")
_BLOCK_STYLES = frozenset("|>")


@dataclass(slots=True, eq=False)
class Span:
    """The text of a value, from `start` to `end`.

    `is_shared` is True for an alias, and for what an alias refers to; `has_tags` for a mapping with entries that are
    written elsewhere, by a merge key or a tag.
    """

    kind: str
    start: int
    end: int = 0
    is_flow: bool = False
    is_shared: bool = False
    has_tags: bool = False
    entries: dict[str, Entry] = field(default_factory=dict)
    items: list[Entry] = field(default_factory=list)

    @property
    def children(self) -> list[Entry]:
        """The entries of a mapping, or the items of a list."""
        return list(self.entries.values()) if self.kind == "mapping" else self.items


@dataclass(slots=True, eq=False)
class Entry:
    """An entry of a mapping from its key, or an item of a list from its dash; `key_end` is the end of the key."""

    start: int
    key_end: int
    value: Span

    @property
    def end(self) -> int:
        """The end of the value; of the colon or the dash if there is none."""
        return max(self.value.end, self.key_end)


class Layout:
    """The spans of a document's text; `text` has no byte order mark, and is one that `read_nodes` accepts."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.root, scalars = _Builder(text).build()
        self._comments = _find_comments(text, scalars)

    def span(self, loc: Loc) -> Span | None:
        """Return the span of a value, or None if it is not written there."""
        span = self.root
        for key in loc:
            entry = _child(span, key)
            if entry is None:
                return None
            span = entry.value
        return span

    def entry(self, loc: Loc) -> Entry | None:
        """Return the entry or item of a value, or None if it is not written there."""
        parent = self.span(loc[:-1]) if loc else None
        return _child(parent, loc[-1]) if parent is not None else None

    def line_start(self, position: int) -> int:
        """Return the start of the line of a position."""
        return self.text.rfind("\n", 0, position) + 1

    def line_end(self, position: int) -> int:
        """Return the end of the line of a position, before its line break."""
        end = self.text.find("\n", position)
        end = len(self.text) if end < 0 else end
        return end - 1 if self.text[max(position, end - 1) : end] == "\r" else end

    def next_line(self, position: int) -> int:
        """Return the start of the next line."""
        end = self.text.find("\n", position)
        return len(self.text) if end < 0 else end + 1

    def has_comment(self, start: int, end: int) -> bool:
        """Return True if a comment starts in a part of the text."""
        index = bisect_left(self._comments, start)
        return index < len(self._comments) and self._comments[index] < end

    def is_first_on_line(self, position: int) -> bool:
        """Return True if only spaces precede a position on its line."""
        return not self.text[self.line_start(position) : position].strip()

    def has_comment_above(self, position: int) -> bool:
        """Return True if the line above has only a comment, in the same column."""
        start = self.line_start(position)
        if not self.is_first_on_line(position) or start == 0:
            return False
        above = self.line_start(start - 1)
        return self.text[above:].startswith("#", position - start) and self.is_first_on_line(above + position - start)


def _child(span: Span, key: str | int) -> Entry | None:
    if isinstance(key, str):
        return span.entries.get(key)
    return span.items[key] if 0 <= key < len(span.items) else None


class _Builder:
    """Builds the spans from the parser's events."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._anchors: dict[str, Span] = {}
        self._scalars: list[tuple[int, int]] = []
        self._stack: list[Span] = []
        self._keys: list[tuple[str, int, int] | None] = []
        self._root: Span | None = None

    def build(self) -> tuple[Span, list[tuple[int, int]]]:
        """Return the root, and start and end of all scalars."""
        for event in yaml.parse(self._text, Loader=LOADER):
            if isinstance(event, yaml.AliasEvent):
                self._alias(event)
            elif isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, yaml.CollectionStartEvent):
                self._open(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._close(event)
        assert self._root is not None
        return self._root, self._scalars

    def _alias(self, event: Any) -> None:
        span = Span("alias", event.start_mark.index, event.end_mark.index, is_shared=True)
        if event.anchor in self._anchors:
            self._anchors[event.anchor].is_shared = True
        self._scalars.append((span.start, span.end))
        self._add(span, "")

    def _scalar(self, event: Any) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        if event.style in _BLOCK_STYLES:
            header = self._text[start : self._text.find("\n", start)]
            body = self._text[start:end]
            # With `+`, the empty lines at the end are part of the text.
            keeps = "+" in header.partition("#")[0]
            end = start + len(body.removesuffix("\n").removesuffix("\r") if keeps else body.rstrip())
            self._scalars.append((start, start + len(header.partition(" #")[0])))
            self._scalars.append((start + len(header), max(end, start + len(header))))
        else:
            self._scalars.append((start, end))
        span = Span("scalar", start, end)
        if event.anchor:
            self._anchors[event.anchor] = span
        self._add(span, event.value)

    def _open(self, event: Any) -> None:
        kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "sequence"
        span = Span(kind, event.start_mark.index, is_flow=event.flow_style is True)
        span.has_tags = event.tag is not None
        if event.anchor:
            self._anchors[event.anchor] = span
        self._stack.append(span)
        self._keys.append(None)

    def _close(self, event: Any) -> None:
        span = self._stack.pop()
        self._keys.pop()
        span.end = event.end_mark.index if span.is_flow else max((entry.end for entry in span.children), default=0)
        self._add(span, "")

    def _add(self, span: Span, text: str) -> None:
        if not self._stack:
            self._root = span
            return
        parent = self._stack[-1]
        if parent.kind == "sequence":
            dash = span.start if parent.is_flow else self._dash(parent, span.start)
            parent.items.append(Entry(dash, dash + 1, span))
            return
        key = self._keys[-1]
        if key is None:
            self._keys[-1] = (text, span.start, span.end)
            return
        self._keys[-1] = None
        name, start, end = key
        colon = self._text.find(":", end)
        if name == _MERGE:
            parent.has_tags = True
        elif self._text[end:colon].strip():
            # `? key`: its entry is not a line that begins with the key.
            parent.has_tags = True
        parent.entries[name] = Entry(start, colon + 1, span)

    def _dash(self, parent: Span, start: int) -> int:
        """Return the dash before an item; all dashes of a list are in one column."""
        first = parent.start
        column = first - (self._text.rfind("\n", 0, first) + 1)
        line = self._text.rfind("\n", 0, start) + 1
        while line > first and not (
            self._text[line + column : line + column + 1] == "-" and not self._text[line : line + column].strip()
        ):
            line = self._text.rfind("\n", 0, line - 1) + 1
        return max(line + column, first)


def _find_comments(text: str, scalars: list[tuple[int, int]]) -> list[int]:
    """Return the starts of all comments: what begins with `#` outside of scalars."""
    comments: list[int] = []
    position = 0
    for start, end in [*sorted(scalars), (len(text), len(text))]:
        comments += [match.start() for match in _COMMENT.finditer(text, position, start)]
        position = max(position, end)
    return comments
