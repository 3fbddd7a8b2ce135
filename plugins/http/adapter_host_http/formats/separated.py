"""CSV, TSV and PSV: rows of text below a header."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from functools import partial
from io import StringIO
from typing import Any, Final

from adapter_host import text_of
from adapter_host_http.conversions.conversion import Conversion

from .format import Format, FormatDeclaration

_SEPARATORS: Final = {"csv": ",", "tsv": "\t", "psv": "|"}


def compile_format(declared: FormatDeclaration) -> Format:
    """Compile the format of the label's separator."""
    separator = _SEPARATORS[declared.spec.output_raw_format]
    return Format(
        declared.info,
        conversion=Conversion("separated", separator=separator),
        encode=partial(to_separated, separator=separator),
    )


def to_separated(data: Any, separator: str) -> bytes:
    """Encode objects as rows below the names of all of them."""
    objects = [row for row in (data if isinstance(data, list) else [data]) if isinstance(row, dict)]
    names = list(dict.fromkeys(name for row in objects for name in row))
    out = StringIO(newline="")
    writer = csv.writer(out, delimiter=separator)
    writer.writerow(names)
    writer.writerows(_cells(row, names) for row in objects)
    return out.getvalue().encode()


def _cells(row: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    return [text_of(row.get(name)) for name in names]
