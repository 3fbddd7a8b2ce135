"""Markdown: front matter, tables, and the text of each section."""

from __future__ import annotations

from typing import Any

from adapter_host import text_of
from adapter_host_http.conversions.conversion import Conversion

from .format import Format, FormatDeclaration


def compile_format(declared: FormatDeclaration) -> Format:
    """Compile Markdown; `outputSchema` is the beginning of a heading that selects sections, with or without `#`."""
    heading = declared.schema.lstrip("#").strip()
    return Format(declared.info, conversion=Conversion("markdown", heading=heading), encode=to_markdown)


def to_markdown(data: Any) -> bytes:
    """Encode the `tables` of data, or objects as one table."""
    tables = data.get("tables", [[data]]) if isinstance(data, dict) else [data]
    return "\n\n".join(_table([row for row in rows if isinstance(row, dict)]) for rows in tables).encode()


def _table(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, ["---"] * len(names), *([_cell(row.get(name)) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    return text_of(value).replace("|", "\\|").replace("\n", " ")
