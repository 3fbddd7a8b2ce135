"""Lookups: find the entries of one result for values of another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from adapter_host.expressions.template import ABSENT, text_of

Lookup = Callable[[Any, Any], Any]
"""Return the entries of an index for a value or a list of values."""


def compile_lookup(match: str, fields: Sequence[str]) -> Lookup:
    """Compile a lookup of entries whose field `match` equals a value as text; it returns their `fields`.

    A list of values returns a list without missing entries; a single value returns the first entry or None.
    """

    def select_fields(entry: dict[str, Any]) -> dict[str, Any]:
        return {name: entry.get(name) for name in fields}

    def look_up(index: Any, lookup_value: Any) -> Any:
        if isinstance(lookup_value, list):
            by_text = dict(reversed(list(_entries(index, match))))
            return [select_fields(by_text[text]) for text in map(text_of, lookup_value) if text in by_text]
        if lookup_value is None or lookup_value is ABSENT:
            return None
        text = text_of(lookup_value)
        return next((select_fields(entry) for entry_text, entry in _entries(index, match) if entry_text == text), None)

    return look_up


def _entries(index: Any, match: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the entries of an index that have the field, each with its value as text."""
    for entry in index if isinstance(index, list) else (index,):
        if isinstance(entry, dict) and entry.get(match) is not None:
            yield text_of(entry[match]), entry
