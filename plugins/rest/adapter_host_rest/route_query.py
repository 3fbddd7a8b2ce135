"""The query in an exposed path: fixed parameters that select one of several routes with the same path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus, urlencode

_VARIABLE: Final = re.compile(r"\{+\s*([^{}\s]+)\s*\}+")

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class DeclaredPath:
    """An exposed path, the fixed parameters of its query, and a fragment, which no request has."""

    path: str
    query: tuple[Pair, ...]
    fragment: str


def split_declared_path(text: str) -> DeclaredPath:
    """Split an exposed path; `{id}` as the value of `id` is an input like any other. Raises `ValueError`."""
    rest, mark, fragment = text.partition("#")
    path, _, query = rest.partition("?")
    pairs = []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        variable = _VARIABLE.fullmatch(value)
        if variable is None and "{" not in part:
            pairs.append((unquote_plus(name), unquote_plus(value)))
        elif variable is None or variable[1] != name:
            raise ValueError(f"'{part}' is not a fixed parameter; declare an input with 'in: query' instead")
    return DeclaredPath(path, tuple(pairs), mark + fragment)


def format_query(query: tuple[Pair, ...]) -> str:
    """Return the fixed parameters with their `?`."""
    return f"?{urlencode(query)}" if query else ""
