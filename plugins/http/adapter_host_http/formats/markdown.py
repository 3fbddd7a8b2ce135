"""Markdown: front matter, tables, and the text of each section."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from adapter_host import text_of

from .format import Format, FormatDeclaration, reject
from .text import read_text, unique_names
from .yaml import read_yaml

MAX_CELLS: Final = 1_000_000
MAX_LENGTH: Final = 2 * 1024 * 1024
MAX_INLINE: Final = 10_000
"""Longer inline text keeps its markup: parsing may take quadratic time."""

_FENCE: Final = "---\n"
_TEXTS: Final = {"softbreak": "\n", "hardbreak": "\n", "html_inline": ""}


def compile_format(declared: FormatDeclaration) -> Format:
    """Compile Markdown; `outputSchema` is the beginning of a heading that selects sections, with or without `#`."""
    heading = declared.schema.lstrip("#").strip()
    return Format(declared.info, convert=partial(from_markdown, heading=heading), encode=to_markdown)


def from_markdown(body: bytes, charset: str | None, heading: str = "") -> dict[str, Any]:
    """Return the `frontMatter` if there is one, the `tables` and the `sections` of a document."""
    front, text = _split(read_text(body, charset).replace("\r\n", "\n"))
    if len(text) > MAX_LENGTH:
        reject(f"longer than {MAX_LENGTH:,} characters")
    reader = _Reader()
    reader.read(text)
    sections = _select_sections(reader.sections, heading) if heading else reader.sections
    return {
        **({} if front is None else {"frontMatter": read_yaml(front)}),
        "tables": [table for section in sections for table in section.tables],
        "sections": [section.to_dict() for section in sections if section.level],
    }


def to_markdown(data: Any) -> bytes:
    """Encode the `tables` of data, or objects as one table."""
    tables = data.get("tables", [[data]]) if isinstance(data, dict) else [data]
    return "\n\n".join(_table([row for row in rows if isinstance(row, dict)]) for rows in tables).encode()


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
    def __init__(self) -> None:
        self.sections = [_Section()]
        self._cells = 0
        self._links: dict[str, Any] = {}
        self._inlines = MarkdownIt("commonmark")

    def read(self, text: str) -> None:
        """Read the blocks; tables inside other blocks do not count."""
        blocks = MarkdownIt("commonmark", {"maxNesting": 100}).enable("table").disable("inline")
        tokens = iter(blocks.parse(text, self._links))
        for token in tokens:
            if token.type == "table_open":
                rows = list(takewhile(lambda inner: inner.type != "table_close", tokens))
                if token.level == 0:
                    self._read_table(rows)
            elif token.type == "heading_open" and token.level == 0:
                self.sections.append(_Section(self._plain_text(next(tokens)), int(token.tag[1:])))
            else:
                self._read_text_block(token)

    def _read_text_block(self, token: Token) -> None:
        text = self._plain_text(token) if token.type == "inline" else token.content.rstrip("\n")
        if text and token.type in ("inline", "fence", "code_block"):
            self.sections[-1].texts.append(text)

    def _read_table(self, tokens: Sequence[Token]) -> None:
        rows: list[list[str]] = []
        for token in tokens:
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline":
                rows[-1].append(self._plain_text(token))
        self._cells += len(rows) * len(rows[0])
        if self._cells > MAX_CELLS:
            reject(f"more than {MAX_CELLS:,} cells")
        names = unique_names(rows[0])
        self.sections[-1].tables.append([dict(zip(names, row, strict=False)) for row in rows[1:]])

    def _plain_text(self, inline: Token) -> str:
        if len(inline.content) > MAX_INLINE:
            return inline.content
        tokens = self._inlines.parseInline(inline.content, self._links)[0].children or ()
        return "".join(_TEXTS.get(token.type, token.content) for token in tokens)


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


def _table(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, ["---"] * len(names), *([_cell(row.get(name)) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    return text_of(value).replace("|", "\\|").replace("\n", " ")
