"""HTML: tables as lists of objects."""

from __future__ import annotations

from html import escape
from typing import Any

from lxml.cssselect import CSSSelector, SelectorError  # type: ignore[import-untyped]

from adapter_host import text_of
from adapter_host_http.conversions.conversion import Conversion

from .format import Format, FormatDeclaration


def compile_format(declared: FormatDeclaration) -> Format | None:
    """Compile HTML; `outputSchema` is a CSS selector for tables, or for elements that contain them."""
    try:
        selector = CSSSelector(declared.schema or "table", translator="html")
    except SelectorError as error:
        declared.problem(f"'{declared.schema}' is not a valid CSS selector ({error})")
        return None
    return Format(declared.info, conversion=Conversion("html", path=selector.path), encode=to_html)


def to_html(data: Any) -> bytes:
    """Encode the `tables` of data, or objects as one table."""
    tables = data.get("tables", [[data]]) if isinstance(data, dict) else [data]
    return "".join(_table([row for row in rows if isinstance(row, dict)]) for rows in tables).encode()


def _table(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    header = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(text_of(row.get(name)))}</td>' for name in names)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>"
