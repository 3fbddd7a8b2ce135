"""Names of a capability, made from those of an API."""

from __future__ import annotations

import re
from typing import Final

MAX_LENGTH: Final = 64
"""What a model's interface takes as the name of a tool."""

BASE: Final = re.compile(r"https?://[^/{}\s?#]+(/[^{}\s?#]*)?", re.IGNORECASE)
"""The URLs that can be a `baseUri`: braces in one would be a template."""

_WORDS: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+[0-9]*")


def kebab_case(text: str) -> str:
    """A text as a name: `listShips` as `list-ships`; empty when nothing in it can stand in one."""
    return "-".join(_WORDS.findall(text)).lower()


def variable(text: str) -> str:
    """A name as that of an environment variable."""
    name = kebab_case(text).replace("-", "_").upper()
    return name if name[:1].isalpha() else f"API_{name}".rstrip("_")


class UniqueNames:
    """Names that are each given once, no longer than a tool's may be."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def add(self, *candidates: str) -> str:
        """The first that is free, else the last with a number."""
        names = [name[:MAX_LENGTH].strip("-") for name in candidates if name] or ["operation"]
        name = next((name for name in names if name not in self._used), None) or self._numbered(names[-1])
        self._used.add(name)
        return name

    def _numbered(self, name: str) -> str:
        number = 2
        while (numbered := f"{name[: MAX_LENGTH - len(str(number)) - 1]}-{number}") in self._used:
            number += 1
        return numbered
