"""The secrets that a capability uses: their names, their values, and those that have none."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from adapter_host.errors import Problem

SHORTEST_MASKED: Final = 4
"""Secrets of fewer characters are not masked: they stand in many a word."""


class SecretUse:
    """The secrets that the templates of one document name; `unresolved` has a problem for each without a value."""

    __slots__ = ("_names_by_value", "names", "unresolved")

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.unresolved: dict[str, Problem] = {}
        self._names_by_value: dict[str, str] = {}

    def add_value(self, value: str, name: str) -> None:
        """Mask `value` as `name` from now on."""
        self._names_by_value[value] = name

    def masked(self, text: str) -> str:
        """Return `text` with each secret's value, plain or percent-encoded, replaced by the secret's name."""
        maskable = {value: name for value, name in self._names_by_value.items() if len(value) >= SHORTEST_MASKED}
        for value in sorted(maskable, key=len, reverse=True):
            for spelling in (value, quote(value, safe="")):
                text = text.replace(spelling, f"{{{{{maskable[value]}}}}}")
        return text
