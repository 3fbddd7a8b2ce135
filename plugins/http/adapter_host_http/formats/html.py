"""HTML: tables as lists of objects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from html import escape
from typing import Any, Final

from lxml import etree  # type: ignore[import-untyped]
from lxml.cssselect import CSSSelector, SelectorError  # type: ignore[import-untyped]

from adapter_host import text_of

from .format import Format, FormatDeclaration, reject
from .text import read_text, unique_names

MAX_CELLS: Final = 1_000_000

_CHARSET: Final = re.compile(rb"""<meta\s[^>]{0,200}?charset=["']?([\w-]{1,40})""", re.IGNORECASE)
_HEAD: Final = 1024
_SPACE: Final = re.compile(r"\s+")
_ROW_GROUPS: Final = frozenset({"thead", "tbody", "tfoot"})
_BREAKS: Final = frozenset({"br", "dd", "div", "dt", "hr", "li", "p", "table", "td", "th", "tr"})


def compile_format(declared: FormatDeclaration) -> Format | None:
    """Compile HTML; `outputSchema` is a CSS selector for tables, or for elements that contain them."""
    try:
        select = CSSSelector(declared.schema or "table", translator="html")
    except SelectorError as error:
        declared.problem(f"'{declared.schema}' is not a valid CSS selector ({error})")
        return None
    return Format(declared.info, convert=partial(from_html, select=select), encode=to_html)


def from_html(body: bytes, charset: str | None, select: CSSSelector) -> dict[str, Any]:
    """Return the selected tables that have headers, each as one object for a row."""
    root = _parse(body, charset)
    tables: list[list[dict[str, str]]] = []
    cells_left = MAX_CELLS
    for table in _selected(root, select):
        names, rows = _read(table)
        cells_left -= len(names) * (1 + len(rows))
        if cells_left < 0:
            reject(f"more than {MAX_CELLS:,} cells")
        if any(names):
            tables.append([_row_object(names, row) for row in rows])
    return {"tables": tables}


def to_html(data: Any) -> bytes:
    """Encode the `tables` of data, or objects as one table."""
    tables = data.get("tables", [[data]]) if isinstance(data, dict) else [data]
    return "".join(_table([row for row in rows if isinstance(row, dict)]) for rows in tables).encode()


def _parse(body: bytes, charset: str | None) -> Any:
    declared = _CHARSET.search(body[:_HEAD])
    text = read_text(body, charset or (declared[1].decode() if declared else None))
    # Keep the parser's limits on depth and size; check its log, as it drops content beyond them silently.
    parser = etree.HTMLParser(encoding="utf-8", no_network=True)
    root = etree.fromstring(text.encode(errors="replace"), parser) if text.strip() else None
    if root is None:
        reject("no element")
    if any(entry.level == etree.ErrorLevels.FATAL for entry in parser.error_log):
        reject("nested too deeply, or too large")
    return root


def _selected(root: Any, select: CSSSelector) -> Iterator[Any]:
    seen = set()
    for node in select(root):
        for table in [node] if node.tag == "table" else node.iter("table"):
            if table not in seen:
                seen.add(table)
                yield table


def _read(table: Any) -> tuple[list[str], list[list[str]]]:
    """Return column names and rows of a table; skip tables in its cells."""
    rows = list(_rows(table))
    header = next((cells for part, cells in rows if part == "thead"), None)
    if header is None and rows and any(cell.tag == "th" for cell in rows[0][1]):
        header = rows[0][1]
    body_rows = (cells for part, cells in rows if part != "thead" and cells is not header)
    return (
        [_text(cell) for cell in header or ()],
        [[_text(cell) for cell in cells] for cells in body_rows if any(cell.tag == "td" for cell in cells)],
    )


def _rows(table: Any) -> Iterator[tuple[str | None, list[Any]]]:
    for part in table:
        if part.tag == "tr":
            yield None, _cells(part)
        elif part.tag in _ROW_GROUPS:
            yield from ((part.tag, _cells(row)) for row in part.iterchildren("tr"))


def _cells(row: Any) -> list[Any]:
    return list(row.iterchildren("th", "td"))


def _text(cell: Any) -> str:
    pieces: list[str] = []
    for event, node in etree.iterwalk(cell, events=("start", "end", "comment")):
        if node.tag in _BREAKS:
            pieces.append(" ")
        if event == "start":
            pieces.append(node.text or "")
        elif node is not cell:
            pieces.append(node.tail or "")
    return _SPACE.sub(" ", "".join(pieces)).strip()


def _row_object(names: list[str], row: list[str]) -> dict[str, str]:
    return dict(zip(unique_names(names), [*row, *[""] * len(names)], strict=False))


def _table(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    header = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(text_of(row.get(name)))}</td>' for name in names)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>"
