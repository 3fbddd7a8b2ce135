"""CSV, TSV and PSV: rows of text below a header."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from functools import partial
from io import StringIO
from typing import Any, Final

from adapter_host import text_of

from .format import Format, FormatDeclaration, reject
from .text import read_text, unique_names

_SEPARATORS: Final = {"csv": ",", "tsv": "\t", "psv": "|"}


def compile_format(declared: FormatDeclaration) -> Format:
    """Compile the format of the label's separator."""
    separator = _SEPARATORS[declared.spec.output_raw_format]
    return Format(
        declared.info,
        convert=partial(from_separated, separator=separator),
        encode=partial(to_separated, separator=separator),
    )


def from_separated(body: bytes, charset: str | None, separator: str) -> list[dict[str, str]]:
    """Return the rows as objects by the names in the first row; every cell is text."""
    reader = csv.reader(StringIO(read_text(body, charset), newline=""), delimiter=separator, strict=True)
    try:
        rows = (row for row in reader if row)
        names = unique_names(next(rows, []))
        return [_row_object(names, row, reader.line_num) for row in rows]
    except csv.Error as error:
        return reject(f"line {reader.line_num}: {error}")


def to_separated(data: Any, separator: str) -> bytes:
    """Encode objects as rows below the names of all of them."""
    objects = [row for row in (data if isinstance(data, list) else [data]) if isinstance(row, dict)]
    names = list(dict.fromkeys(name for row in objects for name in row))
    out = StringIO(newline="")
    writer = csv.writer(out, delimiter=separator)
    writer.writerow(names)
    writer.writerows(_cells(row, names) for row in objects)
    return out.getvalue().encode()


def _row_object(names: list[str], row: list[str], line: int) -> dict[str, str]:
    if any(row[len(names) :]):
        reject(f"line {line} has more cells than the header")
    return dict(zip(names, row, strict=False))


def _cells(row: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    return [text_of(row.get(name)) for name in names]
