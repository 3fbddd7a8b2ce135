"""The names under which tools are offered: those of the document, made legal, each once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from adapter_host import OperationSpec

MAX_LENGTH: Final = 64
"""The protocol allows 128 characters, the models' own interfaces often no more than these."""

LEGAL: Final = re.compile(rf"[A-Za-z0-9_.-]{{1,{MAX_LENGTH}}}")
_ILLEGAL: Final = re.compile(r"[^A-Za-z0-9_.-]+")

SpecT = TypeVar("SpecT", bound=OperationSpec)


def unique_names(specs: Sequence[SpecT]) -> Iterator[tuple[SpecT, str]]:
    """Each tool with the name under which it is offered, in the document's order."""
    # A name that stands in the document is never taken by another tool's legal or numbered form of its own.
    declared = {spec.name for spec in specs}
    used: set[str] = set()
    for spec in specs:
        preferred = spec.name or (spec.ref or spec.call or "tool").rpartition(".")[2]
        legal = (
            preferred if LEGAL.fullmatch(preferred) else _ILLEGAL.sub("-", preferred).strip("-")[:MAX_LENGTH] or "tool"
        )
        name = next(
            candidate
            for candidate in _candidates(legal)
            if candidate not in used and (candidate == spec.name or candidate not in declared)
        )
        used.add(name)
        yield spec, name


def _candidates(legal: str) -> Iterator[str]:
    yield legal
    number = 2
    while True:
        suffix = f"-{number}"
        yield legal[: MAX_LENGTH - len(suffix)] + suffix
        number += 1


def rename_message(declared: str, name: str) -> str:
    """The message for a tool whose name had to be another."""
    if not LEGAL.fullmatch(declared):
        reason = f"a tool's name has letters, digits, '_', '-' and '.' alone, at most {MAX_LENGTH}"
    else:
        reason = "another tool of this exposer has that name"
    return f"tool '{declared}' is offered as '{name}': {reason}"
