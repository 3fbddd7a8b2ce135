"""Edits of YAML text: entries and items are replaced, inserted and deleted; the rest of the text stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import yaml

from adapter_host.document.nodes import Loc

from .layout import Entry, Layout, Span

_WIDTH: Final = 116

SHARED: Final = "it is written with an anchor, an alias, a tag or a merge key"
COMMENTED: Final = "a comment belongs to it"


class _Edit(NamedTuple):
    """A part of the text and its replacement; of insertions at one place, the innermost comes first."""

    start: int
    end: int
    depth: int
    order: int
    text: str


@dataclass(slots=True)
class TextEdits:
    """Edits of a document's text, which are collected and then applied at once.

    An edit must not be within another one. `reason_...` return why an edit would lose what cannot be written again,
    such as a comment, or None.
    """

    layout: Layout
    _edits: list[_Edit] = field(default_factory=list)
    _deleted: dict[Loc, set[str | int]] = field(default_factory=dict)

    def is_flow(self, loc: Loc) -> bool:
        """Return True for a collection in braces or brackets with content, which can only be replaced as a whole."""
        span = self.layout.span(loc)
        return span is not None and span.is_flow and bool(span.children)

    def reason_shared(self, loc: Loc) -> str | None:
        """Return why nothing at a place, or below it, can be changed."""
        span = self.layout.span(loc)
        return SHARED if span is None or span.is_shared or (span.has_tags and span.kind != "scalar") else None

    def reason_not_replaced(self, loc: Loc) -> str | None:
        """Return why a value cannot be replaced."""
        entry = self.layout.entry(loc)
        if entry is None or _is_shared(entry.value):
            return SHARED
        end = entry.end if entry.value.kind == "scalar" else self.layout.line_end(entry.end)
        return COMMENTED if self.layout.has_comment(entry.key_end, end) else None

    def reason_not_deleted(self, loc: Loc) -> str | None:
        """Return why an entry or item cannot be deleted."""
        entry = self.layout.entry(loc)
        if entry is None or _is_shared(entry.value):
            return SHARED
        end = self.layout.line_end(entry.end)
        if not self.layout.is_first_on_line(entry.start) and (following := self._following(loc)) is not None:
            # The next entry takes the place of this one behind the dash.
            end = following.start
        is_commented = self.layout.has_comment(entry.start, end) or self.layout.has_comment_above(entry.start)
        return COMMENTED if is_commented else None

    def replace(self, loc: Loc, value: Any) -> None:
        """Replace the value of an entry or an item."""
        entry = self.layout.entry(loc)
        assert entry is not None
        text = self.layout.text
        is_followed = self.layout.line_end(entry.end) > entry.end
        is_flow = (entry.value.is_flow and bool(entry.value.children)) or is_followed
        head = text[entry.start : entry.key_end]
        rendered = f"{head} {_flow(value)}" if is_flow else _block(head, value)
        self._add(entry.start, entry.end, loc, _indented(rendered, self._column(entry.start)))

    def delete(self, loc: Loc) -> None:
        """Delete an entry or an item; another one of its collection must stay."""
        self._deleted.setdefault(loc[:-1], set()).add(loc[-1])

    def insert(self, loc: Loc, after: str | int, value: Any, key: str | None = None) -> None:
        """Insert an entry or an item behind another one of the collection at `loc`, which stays."""
        entry = self.layout.entry((*loc, after))
        assert entry is not None
        rendered = dump_block([value]) if key is None else dump_block({key: value})
        column = self._column(entry.start)
        place = self.layout.line_end(entry.end)
        # An empty line separates the sections of a document.
        lines = "\n" if loc else "\n\n"
        self._add(place, place, (*loc, after), lines + " " * column + _indented(rendered, column))

    def apply(self) -> str:
        """Return the edited text."""
        text = self.layout.text
        line_break = "\r\n" if "\r\n" in text else "\n"
        deletions = sorted(self._deletions())
        position = 0
        parts: list[str] = []
        edits = [self._moved(edit, deletions) for edit in self._edits]
        edits += [_Edit(start, end, 0, 0, "") for start, end in deletions]
        for edit in sorted(edits, key=lambda edit: (edit.start, edit.end, -edit.depth, edit.order)):
            parts += [text[position : edit.start], edit.text.replace("\n", line_break)]
            position = max(position, edit.end)
        return "".join([*parts, text[position:]])

    def _add(self, start: int, end: int, loc: Loc, text: str) -> None:
        self._edits.append(_Edit(start, end, len(loc), len(self._edits), text))

    def _column(self, position: int) -> int:
        return position - self.layout.line_start(position)

    def _following(self, loc: Loc) -> Entry | None:
        parent = self.layout.span(loc[:-1])
        entry = self.layout.entry(loc)
        siblings = parent.children if parent is not None else []
        index = next((index for index, sibling in enumerate(siblings) if sibling is entry), len(siblings))
        return siblings[index + 1] if index + 1 < len(siblings) else None

    def _deletions(self) -> Iterable[tuple[int, int]]:
        """Yield start and end of the text of deleted entries."""
        for loc, keys in self._deleted.items():
            span = self.layout.span(loc)
            assert span is not None
            pairs: Iterable[tuple[str | int, Entry]] = (
                span.entries.items() if span.kind == "mapping" else enumerate(span.items)
            )
            entries = list(pairs)
            for index, (key, entry) in enumerate(entries):
                if key not in keys:
                    continue
                if self.layout.is_first_on_line(entry.start):
                    yield self.layout.line_start(entry.start), self.layout.next_line(entry.end)
                else:
                    yield entry.start, entries[index + 1][1].start

    def _moved(self, edit: _Edit, deletions: list[tuple[int, int]]) -> _Edit:
        """Return an insertion behind text that is deleted as one before it."""
        for start, end in reversed(deletions):
            if start <= edit.start < end and edit.start == edit.end:
                edit = edit._replace(start=self._line_end_before(start), end=self._line_end_before(start))
        return edit

    def _line_end_before(self, start: int) -> int:
        return self.layout.line_end(self.layout.line_start(start - 1))


def _is_shared(span: Span) -> bool:
    return span.is_shared or any(_is_shared(entry.value) for entry in span.children)


def _block(head: str, value: Any) -> str:
    """Return an entry or item in block style; `head` is its key with the colon, or its dash."""
    if head == "-":
        return dump_block([value])
    rendered = dump_block({"k": value})
    return head + rendered.removeprefix("k:")


def _flow(value: Any) -> str:
    text = yaml.dump(
        value, Dumper=_FlowDumper, default_flow_style=True, sort_keys=False, allow_unicode=True, width=2**30
    )
    return str(text).removesuffix("\n").removesuffix("\n...").removesuffix("\n")


def _indented(text: str, column: int) -> str:
    """Return a text whose lines but the first begin at a column."""
    indent = " " * column
    return "\n".join(f"{indent}{line}" if number and line else line for number, line in enumerate(text.split("\n")))


class _BlockDumper(yaml.SafeDumper):
    """Dumps in block style, with indented lists, wrapped lines and no anchors."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


class _FlowDumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _block_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # What follows a block with empty lines at its end must not be moved.
    is_block = "\n" in text and not text.endswith("\n\n") and not text[:1].isspace()
    style = "|" if is_block else '"' if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _flow_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if "\n" in text else None)


_BlockDumper.add_representer(str, _block_text)
_FlowDumper.add_representer(str, _flow_text)


def dump_block(data: Mapping[str, Any] | list[Any]) -> str:
    """Return data as YAML in block style, without a line break at the end."""
    text = yaml.dump(data, Dumper=_BlockDumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return str(text).removesuffix("\n")
