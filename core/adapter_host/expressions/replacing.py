"""Replace values in documents, at paths of names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .jsonpath import split_path
from .template import ABSENT


def path_names(path: str | None) -> tuple[str, ...] | None:
    """Return the names of a path such as `$.data.items`; None for a path that has anything else."""
    if path is None:
        return None
    steps, rest = split_path(path)
    names = tuple(step for step in steps if isinstance(step, str))
    return names if not rest and len(names) == len(steps) else None


def value_at(data: Any, names: Sequence[str]) -> Any:
    """Return the value at a path of names, or ABSENT."""
    for name in names:
        if not isinstance(data, Mapping) or name not in data:
            return ABSENT
        data = data[name]
    return data


def replace_value(data: Any, names: Sequence[str], value: Any) -> Any:
    """Return a copy of data with another value at a path of names, for ABSENT without it.

    Data without an object above the last name is returned unchanged.
    """
    if not names:
        return value
    if not isinstance(data, Mapping):
        return data
    name, rest = names[0], names[1:]
    if not rest and value is ABSENT:
        return {key: kept for key, kept in data.items() if key != name}
    if rest and name not in data:
        return data
    return {**data, name: replace_value(data.get(name), rest, value)}
