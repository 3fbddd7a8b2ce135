"""Sentences of descriptions for keywords that the portable form of a schema lacks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from .branches import Branch

_LONGEST: Final = 300
_LONGEST_EXAMPLE: Final = 80
_ENDS: Final = (".", "!", "?", ":")


def describe(
    branch: Branch, notes: Iterable[str | None] = (), *, described: bool = True, detailed: bool = True
) -> str | None:
    """Return the description of a branch with its notes, or None."""
    parts = [
        "Deprecated." if branch.deprecated else None,
        branch.description if described else None,
        branch.detail if detailed else None,
        *notes,
    ]
    if branch.example is not None and (text := to_text(branch.example, _LONGEST_EXAMPLE)) is not None:
        parts.append(f"Example: {text}.")
    return sentence(*parts) or None


def sentence(*parts: str | None) -> str:
    """Join parts of a description, each as a sentence."""
    joined = ""
    for part in parts:
        if part:
            separator = "" if not joined else " " if joined.endswith(_ENDS) else ". "
            joined += separator + part
    return joined


def note_values(branches: Sequence[Branch]) -> str | None:
    """Return the descriptions of alternative values, or None."""
    notes = [
        f"{to_text(branch.values[0], _LONGEST)}: {text.rstrip('.')}"
        for branch in branches
        if branch.values and len(branch.values) == 1 and (text := branch.detail or branch.description)
    ]
    return "; ".join(notes) + "." if len(notes) == len(branches) else None


def to_text(value: Any, longest: int = _LONGEST) -> str | None:
    """Return a value as JSON; None if it is too long."""
    try:
        text = orjson.dumps(value).decode()
    except (TypeError, ValueError, RecursionError):  # an integer of more than 64 bits, for one
        return None
    return text if len(text) <= longest else None


def list_values(values: Iterable[Any]) -> str | None:
    """Return values as a list of JSON values; None if it is too long."""
    texts = [to_text(value) for value in values]
    joined = ", ".join(text for text in texts if text is not None)
    return joined if None not in texts and joined and len(joined) <= _LONGEST else None
