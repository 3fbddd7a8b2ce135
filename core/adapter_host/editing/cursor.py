"""The place of a position in the text of a document: the keys that lead there, and the text before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from adapter_host.document.nodes import Loc
from adapter_host.document.source import Source
from adapter_host.document.text.layout import Entry, Layout, Span
from adapter_host.errors import ProblemsError

_MARK: Final = "\u2020cursor\u2020"
"""Text that is inserted at the cursor, so that an empty value or key is one of the document."""

_BLOCK_STYLES: Final = "|>"


@dataclass(frozen=True, slots=True)
class Place:
    """A key or value of a document at a position of its text.

    `start` and `end` enclose the key, or the scalar with its quotes; `text` is that part.
    """

    loc: Loc
    is_key: bool
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Insertion:
    """A key or value that is being written: `before` is its text up to the cursor, `start` and `end` enclose it.

    `text` is that of the document with a mark at the cursor, and `source` the document of it. `has_colon` is True for a
    key that is complete.
    """

    loc: Loc
    is_key: bool
    before: str
    start: int
    end: int
    text: str
    source: Source
    has_colon: bool = False

    @property
    def data(self) -> Any:
        """The document as plain data, with a mark in the value or key."""
        return self.source.data


def place_at(layout: Layout, position: int) -> Place | None:
    """Return the key or scalar at a position, or None between them."""
    span, loc = layout.root, Loc()
    while True:
        found = _child_at(span, position)
        if found is None:
            return None
        key, entry = found
        loc = (*loc, key)
        if span.kind == "mapping" and position < entry.key_end:
            end = layout.text.rfind(":", entry.start, entry.key_end)
            return Place(loc, True, entry.start, end, layout.text[entry.start : end])
        if not entry.value.children:
            start, end = entry.value.start, max(entry.value.end, entry.value.start)
            return Place(loc, False, start, end, layout.text[start:end]) if start <= position <= end else None
        span = entry.value


def _child_at(span: Span, position: int) -> tuple[str | int, Entry] | None:
    pairs = span.entries.items() if span.kind == "mapping" else enumerate(span.items)
    return next(((key, entry) for key, entry in pairs if entry.start <= position <= entry.end), None)


def insertion_at(text: str, position: int, file: str) -> Insertion | None:
    """Return what is being written at a position, or None where the document has no place for a key or value."""
    end = text.find("\n", position)
    is_last = not text[position : len(text) if end < 0 else end].strip()
    # A value is complete; a key without its colon would join the text before it.
    return _insertion(text, position, file, "") or (_insertion(text, position, file, ":") if is_last else None)


def _insertion(text: str, position: int, file: str, colon: str) -> Insertion | None:
    marked = text[:position] + _MARK + colon + text[position:]
    try:
        source = Source.parse(marked, file)
        layout = Layout(marked)
    except ProblemsError:
        return None
    place = place_at(layout, position)
    if place is None or _MARK not in place.text:
        return None
    before, _, after = place.text.partition(_MARK)
    if "\n" in before and before[:1] not in _BLOCK_STYLES:
        return None
    key = place.loc[-1]
    loc = (*place.loc[:-1], key.replace(_MARK, "")) if place.is_key and isinstance(key, str) else place.loc
    has_colon = place.is_key and not colon
    return Insertion(loc, place.is_key, before, place.start, position + len(after), marked, source, has_colon)


def is_marked(value: object) -> bool:
    """Return whether a value of the document is the one that is being written."""
    return isinstance(value, str) and _MARK in value


def value_at(data: Any, loc: Loc) -> Any:
    """Return the value at a place of plain data, or None if there is none."""
    for key in loc:
        if isinstance(data, dict):
            data = data.get(key)
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            data = data[key]
        else:
            return None
    return data
