"""Legal names of GraphQL for those of documents and schemas, and unique ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from typing import Final

_LEGAL: Final = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_]*")
_ILLEGAL: Final = re.compile(r"[^A-Za-z0-9_]+")


def legal_name(text: str, default: str = "field") -> str:
    """Return a text as a name: as it is if it is legal, else its words in camel case."""
    if _LEGAL.fullmatch(text):
        return text
    first, *others = [word for word in _ILLEGAL.split(text) if word] or [default]
    name = first + "".join(word[0].upper() + word[1:] for word in others)
    # Names with two underscores at the start are reserved for introspection.
    name = f"_{name.lstrip('_')}" if name.startswith("__") else name
    return f"_{name}" if name[0].isdigit() else name


def type_name(*parts: str) -> str:
    """Return the name of a type: each part with a capital, without anything between them."""
    names = [legal_name(part, "type") for part in parts]
    return "".join(name[0].upper() + name[1:] for name in names)


def unique_name(name: str, used: Set[str]) -> str:
    """Return the name, with a number where it is used."""
    number, candidate = 2, name
    while candidate in used:
        candidate, number = f"{name}_{number}", number + 1
    return candidate


def legal_names(texts: Iterable[str], default: str = "field") -> dict[str, str]:
    """Return a unique legal name for each text; names that are legal already stay as they are."""
    names = {text: text for text in texts}
    used = {text for text in names if _LEGAL.fullmatch(text)}
    for text in names:
        if text not in used:
            names[text] = unique_name(legal_name(text, default), used)
            used.add(names[text])
    return names
