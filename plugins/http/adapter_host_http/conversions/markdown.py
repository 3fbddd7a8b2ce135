"""Markdown: front matter, tables, and the text of each section."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from pyromark import Markdown, Options

from .conversion import Convert
from .errors import reject
from .text import SizeLimit, cell_limit, read_text, unique_names
from .yaml import read_yaml

_FENCE: Final = "---\n"
_TEXTS: Final = ("Text", "Code")
_BREAKS: Final = ("SoftBreak", "HardBreak")
_CONTAINERS: Final = ("BlockQuote", "List", "Item")
_INLINE: Final = ("Emphasis", "Strong", "Link", "Image")
_ROWS: Final = ("Table", "TableHead", "TableRow")


def converter(heading: str) -> Convert:
    """Compile the conversion of the sections whose heading begins with a text; an empty one selects all."""
    return partial(_from_markdown, heading=heading)


def _from_markdown(body: bytes, charset: str | None, limit: int, *, heading: str) -> dict[str, Any]:
    """Return the `frontMatter` if there is one, the `tables` and the `sections` of a document."""
    front, text = _split(read_text(body, charset).replace("\r\n", "\n"))
    reader = _Reader(limit, cell_limit(len(text)))
    reader.read(text)
    sections = _select_sections(reader.sections, heading) if heading else reader.sections
    return {
        **({} if front is None else {"frontMatter": read_yaml(front, limit)}),
        "tables": [table for section in sections for table in section.tables],
        "sections": [section.to_dict() for section in sections if section.level],
    }


@dataclass(slots=True)
class _Section:
    """A heading and its content up to the next heading; level 0 is content before the first heading."""

    heading: str = ""
    level: int = 0
    texts: list[str] = field(default_factory=list)
    tables: list[list[dict[str, str]]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return {"heading": self.heading, "level": self.level, "content": "\n".join(self.texts)}


class _Reader:
    """Reads the events of the parser: a name each, or the name of a kind with its content."""

    def __init__(self, limit: int, most_cells: int) -> None:
        self.sections = [_Section()]
        self._size = SizeLimit(limit)
        self._cells = 0
        self._most_cells = most_cells
        self._depth = 0
        self._pieces: list[str] = []
        self._rows: list[list[str]] = []

    def read(self, text: str) -> None:
        """Read the blocks; tables and headings inside other blocks do not count."""
        events: Iterator[Any] = iter(Markdown(options=Options.ENABLE_TABLES).events(text))
        for event in events:
            if isinstance(event, str):
                if event in _BREAKS:
                    self._pieces.append("\n")
                continue
            ((kind, content),) = event.items()
            if kind in _TEXTS:
                self._pieces.append(content)
            elif kind in ("Start", "End"):
                name, details = (content, None) if isinstance(content, str) else next(iter(content.items()))
                if name not in _INLINE:
                    (self._open if kind == "Start" else self._close)(name, details)

    def _open(self, name: str, _: Any) -> None:
        if name in ("TableHead", "TableRow"):
            self._rows.append([])
        elif name != "TableCell":
            # The text of an item may have no paragraph of its own.
            self._end_text()
            self._depth += name in _CONTAINERS
            self._rows = []

    def _close(self, name: str, details: Any) -> None:
        if name == "TableCell":
            self._rows[-1].append(self._text())
            self._cells += 1
            if self._cells > self._most_cells:
                reject(f"more than {self._most_cells:,} cells")
        elif name == "Table" and not self._depth:
            self._end_table()
        elif name == "Heading" and not self._depth:
            self.sections.append(_Section(self._text(), int(details[1:])))
        elif name not in _ROWS:
            self._end_text()
            self._depth -= name in _CONTAINERS

    def _text(self) -> str:
        text = "".join(self._pieces)
        self._pieces.clear()
        self._size.add(len(text))
        return text

    def _end_text(self) -> None:
        if text := self._text().rstrip("\n"):
            self.sections[-1].texts.append(text)

    def _end_table(self) -> None:
        names = unique_names(self._rows[0])
        row_size = sum(len(name) + len('"":"",') for name in names)
        self._size.add(row_size * len(self._rows))
        self.sections[-1].tables.append([dict(zip(names, row, strict=False)) for row in self._rows[1:]])


def _split(text: str) -> tuple[str | None, str]:
    """Return the text of the front matter, and the rest."""
    if not text.startswith(_FENCE):
        return None, text
    front, mark, rest = text[len(_FENCE) :].partition(f"\n{_FENCE}")
    return (front, rest) if mark else (None, text)


def _select_sections(sections: Iterable[_Section], heading: str) -> list[_Section]:
    """Return the sections whose heading begins with `heading`, with their subsections."""
    selected: list[_Section] = []
    open_level = 0
    for section in sections:
        if section.level and section.heading.startswith(heading) and not 0 < open_level < section.level:
            open_level = section.level
        elif section.level <= open_level:
            open_level = 0
        if open_level:
            selected.append(section)
    return selected
