"""HTML: tables as lists of objects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from lxml import etree  # type: ignore[import-untyped]

from .conversion import Convert
from .errors import reject
from .text import SizeLimit, cell_limit, read_text, unique_names

MAX_ATTRIBUTES: Final = 1000

_FEW_ATTRIBUTES: Final = 8 * 1024
"""Shorter pages cannot have an element with so many attributes that its time matters."""

_CHARSET: Final = re.compile(rb"""<meta\s[^>]{0,200}?charset=["']?([\w-]{1,40})""", re.IGNORECASE)
_HEAD: Final = 1024
_SPACE: Final = re.compile(r"\s+")
_ROW_GROUPS: Final = frozenset({"thead", "tbody", "tfoot"})
_CELLS: Final = frozenset({"td", "th"})
_BREAKS: Final = frozenset({"br", "dd", "div", "dt", "hr", "li", "p", "table", "td", "th", "tr"})


def converter(path: str) -> Convert:
    """Compile the conversion of the tables that are, or are in, the elements of an XPath."""
    return partial(_from_html, select=etree.XPath(path))


def _from_html(body: bytes, charset: str | None, limit: int, *, select: etree.XPath) -> dict[str, Any]:
    """Return the selected tables that have headers, each as one object for a row."""
    page = _Page(_parse(body, charset), select)
    size = SizeLimit(limit)
    tables: list[list[dict[str, str]]] = []
    cells_left = most_cells = cell_limit(len(body))
    for table in page.tables:
        names, rows = _read(table)
        cells_left -= len(names) * (1 + len(rows))
        if cells_left < 0:
            reject(f"more than {most_cells:,} cells")
        texts = [page.text(cell, size) for cell in names]
        if any(texts):
            unique = unique_names(texts)
            row_size = sum(len(name) + len('"":"",') for name in unique)
            objects = []
            for row in rows:
                size.add(row_size)
                values = [page.text(cell, size) for cell in row[: len(unique)]]
                objects.append(dict(zip(unique, [*values, *[""] * (len(unique) - len(values))], strict=True)))
            tables.append(objects)
    return {"tables": tables}


def _parse(body: bytes, charset: str | None) -> Any:
    declared = _CHARSET.search(body[:_HEAD])
    text = read_text(body, charset or (declared[1].decode() if declared else None)).encode(errors="replace")
    if len(text) > _FEW_ATTRIBUTES:
        _check_attributes(text)
    # Keep the parser's limits on depth and size; check its log, as it drops content beyond them silently.
    parser = etree.HTMLParser(encoding="utf-8", no_network=True)
    root = etree.fromstring(text, parser) if text.strip() else None
    if root is None:
        reject("no element")
    if any(entry.level == etree.ErrorLevels.FATAL for entry in parser.error_log):
        reject("nested too deeply, or too large")
    return root


class _Attributes:
    """A target of the parser that keeps the largest number of attributes of one element."""

    def __init__(self) -> None:
        self.most = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.most = max(self.most, len(attributes))

    def close(self) -> int:
        return self.most


def _check_attributes(text: bytes) -> None:
    """Reject elements with many attributes: building a tree takes quadratic time for them, reading them does not."""
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, target=_Attributes())
    parser.feed(text)
    if parser.close() > MAX_ATTRIBUTES:
        reject(f"an element with more than {MAX_ATTRIBUTES:,} attributes")


class _Page:
    """The selected tables of a page in order, and the texts of all cells: read in one pass."""

    def __init__(self, root: Any, select: etree.XPath) -> None:
        selected = set(select(root))
        self.tables: list[Any] = []
        self._pieces: list[str] = []
        self._spans: dict[Any, tuple[int, int]] = {}
        inside = 0
        pieces = self._pieces
        for event, node in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
            tag = node.tag
            if tag in _BREAKS:
                pieces.append(" ")
            if event == "start":
                inside += node in selected
                if inside and tag == "table":
                    self.tables.append(node)
                if tag in _CELLS:
                    self._spans[node] = len(pieces), 0
                if text := node.text:
                    pieces.append(text)
                continue
            if event == "end":
                inside -= node in selected
                if tag in _CELLS:
                    self._spans[node] = self._spans[node][0], len(pieces)
            if tail := node.tail:
                pieces.append(tail)

    def text(self, cell: Any, size: SizeLimit) -> str:
        """Return the text of a cell, and of the tables in it."""
        first, end = self._spans[cell]
        text = _SPACE.sub(" ", "".join(self._pieces[first:end])).strip()
        size.add(len(text))
        return text


def _read(table: Any) -> tuple[list[Any], list[list[Any]]]:
    """Return the cells of the header and of the rows of a table; skip tables in its cells."""
    rows = list(_rows(table))
    header = next((cells for part, cells in rows if part == "thead"), None)
    if header is None and rows and any(cell.tag == "th" for cell in rows[0][1]):
        header = rows[0][1]
    body_rows = (cells for part, cells in rows if part != "thead" and cells is not header)
    return header or [], [cells for cells in body_rows if any(cell.tag == "td" for cell in cells)]


def _rows(table: Any) -> Iterator[tuple[str | None, list[Any]]]:
    for part in table:
        if part.tag == "tr":
            yield None, _cells(part)
        elif part.tag in _ROW_GROUPS:
            yield from ((part.tag, _cells(row)) for row in part.iterchildren("tr"))


def _cells(row: Any) -> list[Any]:
    return list(row.iterchildren("th", "td"))
