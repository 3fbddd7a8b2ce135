"""Lookups: the entries of one answer that belong to the values of another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from adapter_host.expressions.template import ABSENT, text_of

Lookup = Callable[[Any, Any], Any]
"""From an index and what is looked up in it to what was found."""


def compile_lookup(match: str, fields: Sequence[str]) -> Lookup:
    """The lookup of entries whose `match` is a value, compared as text; of each entry the `fields` are given.

    For an array of values it gives an array, without those that are not found; otherwise the first entry or None.
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
    """The entries of an index that have something to match, each with that as text."""
    for entry in index if isinstance(index, list) else (index,):
        if isinstance(entry, dict) and entry.get(match) is not None:
            yield text_of(entry[match]), entry
