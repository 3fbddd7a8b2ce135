"""The secrets that a capability uses."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from adapter_host.errors import Problem

SHORTEST_MASKED: Final = 4
"""Shorter secrets are not masked: they occur inside ordinary words."""


class SecretUse:
    """Names and values of the secrets in one document's templates; `unresolved` has a problem for each missing one.

    If they are `required` to compile, each use of a missing one is an error.
    """

    __slots__ = ("_names_by_value", "names", "required", "unresolved")

    def __init__(self, *, required: bool = False) -> None:
        self.required = required
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
