"""CSV, TSV and PSV: rows of text below a header."""

from __future__ import annotations

import csv
from functools import partial
from io import StringIO

from .conversion import Convert
from .errors import reject
from .text import SizeLimit, read_text, unique_names


def converter(separator: str) -> Convert:
    """Compile the conversion of rows with a separator."""
    return partial(_from_separated, separator=separator)


def _from_separated(body: bytes, charset: str | None, limit: int, *, separator: str) -> list[dict[str, str]]:
    """Return the rows as objects by the names in the first row; every cell is text."""
    reader = csv.reader(StringIO(read_text(body, charset), newline=""), delimiter=separator, strict=True)
    size = SizeLimit(limit)
    try:
        rows = (row for row in reader if row)
        names = unique_names(next(rows, []))
        # The characters of the first names, and of the JSON around them and their cells.
        sizes = [0]
        for name in names:
            sizes.append(sizes[-1] + len(name) + len('"":"",'))
        objects = []
        for row in rows:
            if any(row[len(names) :]):
                reject(f"line {reader.line_num} has more cells than the header")
            size.add(sizes[min(len(row), len(names))] + sum(map(len, row)))
            objects.append(dict(zip(names, row, strict=False)))
        return objects
    except csv.Error as error:
        return reject(f"line {reader.line_num}: {error}")
