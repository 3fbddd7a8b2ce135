"""Names in protobuf: legal (proto3 specification, "Lexical elements") and unique in their scope."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_ILLEGAL: Final = re.compile(r"[^A-Za-z0-9]+")
_WORD_STARTS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(text: str, fallback: str = "field") -> str:
    """Return a name of a field, such as `deleted_at` for `deletedAt`."""
    name = "_".join(_words(text)).lower() or fallback
    return f"{fallback}_{name}" if name[0].isdigit() else name


def pascal_case(text: str, fallback: str = "Message") -> str:
    """Return a name of a message, service or method, such as `ListPets` for `list-pets`."""
    name = "".join(word[0].upper() + word[1:] for word in _words(text)) or fallback
    return f"{fallback}{name}" if name[0].isdigit() else name


def upper_case(text: str, fallback: str = "VALUE") -> str:
    """Return a name of an enum's value, such as `IN_USE` for `in use`."""
    return "_".join(_words(text)).upper() or fallback


def _words(text: str) -> list[str]:
    letters = "".join(part for part in unicodedata.normalize("NFKD", text) if not unicodedata.combining(part))
    return _ILLEGAL.sub(" ", _WORD_STARTS.sub(" ", letters)).split()


class UniqueNames:
    """The names of one scope. Generated code joins words in several ways, so `a_b` and `aB` are the same name."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def add(self, name: str) -> str:
        """Return the name, with a number if it is taken."""
        unique, number = name, 2
        while (key := unique.replace("_", "").lower()) in self._used:
            unique, number = f"{name}_{number}", number + 1
        self._used.add(key)
        return unique
