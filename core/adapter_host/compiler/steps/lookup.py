"""Lookups: find the entries of one result for values of another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from adapter_host.expressions.jsonpath import PathGetter, member_getter
from adapter_host.expressions.template import ABSENT, text_of

Lookup = Callable[[Any, Any], Any]
"""Return the entries of an index for a value or a list of values."""


def compile_lookup(match: str, fields: Sequence[str]) -> Lookup:
    """Compile a lookup of entries whose field `match` equals a value as text; it returns their `fields`.

    A dot in a name leads to a nested field, unless an entry has a field of that name. A list of values returns a list
    without missing entries; a single value returns the first entry or None.
    """
    find_match = _field_getter(match)
    getters = tuple((tuple(name.split(".")), name, _field_getter(name)) for name in fields)

    def select_fields(entry: dict[str, Any]) -> dict[str, Any]:
        selected: dict[str, Any] = {}
        for (*parents, last), name, get in getters:
            if parents and name not in entry:
                container = selected
                for key in parents:
                    container = container.setdefault(key, {})
                container[last] = get(entry)
            else:
                selected[name] = get(entry)
        return selected

    def look_up(index: Any, lookup_value: Any) -> Any:
        if isinstance(lookup_value, list):
            by_text = dict(reversed(list(_entries(index, find_match))))
            return [select_fields(by_text[text]) for text in map(text_of, lookup_value) if text in by_text]
        if lookup_value is None or lookup_value is ABSENT:
            return None
        text = text_of(lookup_value)
        entries = _entries(index, find_match)
        return next((select_fields(entry) for entry_text, entry in entries if entry_text == text), None)

    return look_up


def _field_getter(name: str) -> PathGetter:
    """Return a function that gets a field of an entry, which may be nested."""
    keys = name.split(".")
    if len(keys) == 1:
        return member_getter(name)

    def get(entry: Any) -> Any:
        if name in entry:
            return entry[name]
        for key in keys:
            entry = entry.get(key) if isinstance(entry, dict) else None
        return entry

    return get


def _entries(index: Any, find_match: PathGetter) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the entries of an index that have the field, each with its value as text."""
    for entry in index if isinstance(index, list) else (index,):
        if isinstance(entry, dict) and (value := find_match(entry)) is not None:
            yield text_of(value), entry
