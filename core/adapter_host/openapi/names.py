"""Names of a capability, made from those of an API."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

MAX_LENGTH: Final = 64
"""The longest tool name that model APIs accept."""

_WORDS: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+[0-9]*")


def kebab_case(text: str) -> str:
    """Return a text as a name: `list-ships` for `listShips`; empty if it has no letters or digits."""
    return "-".join(_WORDS.findall(text)).lower()


def variable(text: str) -> str:
    """Return a name as an environment variable's."""
    name = kebab_case(text).replace("-", "_").upper()
    return name if name[:1].isalpha() else f"API_{name}".rstrip("_")


class UniqueNames:
    """Assigns unique names, not longer than a tool name may be, and none that is `used` already."""

    def __init__(self, used: Iterable[str] = ()) -> None:
        self._used = set(used)
        self._numbers: dict[str, int] = {}

    def add(self, *candidates: str) -> str:
        """Return the first unused candidate, else the last one with a number."""
        names = [name[:MAX_LENGTH].strip("-") for name in candidates if name] or ["operation"]
        name = next((name for name in names if name not in self._used), None) or self._numbered(names[-1])
        self._used.add(name)
        return name

    def _numbered(self, name: str) -> str:
        number = self._numbers.get(name, 2)
        while (numbered := f"{name[: MAX_LENGTH - len(str(number)) - 1]}-{number}") in self._used:
            number += 1
        self._numbers[name] = number + 1
        return numbered
