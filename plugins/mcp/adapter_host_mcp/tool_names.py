"""Tool names: those of the document, made legal and unique."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar

from adapter_host import Operation, OperationSpec

MAX_LENGTH: Final = 64
"""MCP allows 128 characters, APIs of model providers often only 64."""

LEGAL: Final = re.compile(rf"[A-Za-z0-9_.-]{{1,{MAX_LENGTH}}}")
PORTABLE: Final = re.compile(rf"[A-Za-z_][A-Za-z0-9_-]{{0,{MAX_LENGTH - 1}}}")
"""OpenAI and Anthropic allow no dot; Gemini requires a letter or an underscore at the start."""

_ILLEGAL: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_UNPORTABLE: Final = re.compile(r"[^A-Za-z0-9_-]+")

_DIGEST: Final = 8
"""Characters of the digest at the end of an included name that is shortened."""

SpecT = TypeVar("SpecT", bound=OperationSpec)


def unique_names(specs: Sequence[SpecT], is_portable: bool) -> Iterator[tuple[SpecT, str]]:
    """Yield each tool with its name, in the document's order."""
    # A declared name is reserved: no name that is generated for another tool may equal it.
    declared = {spec.name for spec in specs}
    used: set[str] = set()
    for spec in specs:
        preferred = spec.name or (spec.ref or spec.call or "tool").rpartition(".")[2]
        legal = _portable(preferred) if is_portable else _legal(preferred)
        name = next(
            candidate
            for candidate in _candidates(legal)
            if candidate not in used and (candidate == spec.name or candidate not in declared)
        )
        used.add(name)
        yield spec, name


def _legal(preferred: str) -> str:
    return preferred if LEGAL.fullmatch(preferred) else _ILLEGAL.sub("-", preferred).strip("-")[:MAX_LENGTH] or "tool"


def _portable(preferred: str) -> str:
    return portable_name(preferred)[:MAX_LENGTH]


def portable_name(text: str) -> str:
    """Return a text with only the characters of portable names, of any length."""
    if PORTABLE.fullmatch(text):
        return text
    legal = _UNPORTABLE.sub("-", text).strip("-") or "tool"
    return legal if PORTABLE.match(legal) else f"_{legal}"


def operation_names(operations: Iterable[Operation], is_portable: bool) -> Iterator[tuple[Operation, str]]:
    """Yield the operations of an exposer of another type, each with its name as a tool, in the document's order."""
    used: set[str] = set()
    for operation in operations:
        legal = _portable(operation.name) if is_portable else _legal(operation.name)
        name = next(candidate for candidate in _candidates(legal) if candidate not in used)
        used.add(name)
        yield operation, name


def included_name(prefix: str, name: str, is_portable: bool) -> str:
    """Return the name of an included tool or prompt; a digest of it ends one that would be longer than 64 characters.

    It depends on nothing else that is served.
    """
    full = portable_name(f"{prefix}{name}") if is_portable else f"{prefix}{name}"
    if len(full) <= MAX_LENGTH:
        return full
    digest = hashlib.sha256(full.encode()).hexdigest()[:_DIGEST]
    return f"{full[: MAX_LENGTH - _DIGEST - 1]}-{digest}"


def _candidates(legal: str) -> Iterator[str]:
    yield legal
    number = 2
    while True:
        suffix = f"-{number}"
        yield legal[: MAX_LENGTH - len(suffix)] + suffix
        number += 1


def rename_message(declared: str, name: str, is_portable: bool) -> str:
    """Return the warning for a renamed tool."""
    if not LEGAL.fullmatch(declared):
        allowed = "'_' and '-'" if is_portable else "'_', '-' and '.'"
        reason = f"use at most {MAX_LENGTH} letters, digits, {allowed}"
    elif is_portable and not PORTABLE.fullmatch(declared):
        reason = (
            "providers of models allow only letters, digits, '_' and '-', with a letter or '_' first; rename the tool, "
            "or set 'x-schema-profile: full'"
        )
    else:
        reason = "another tool of this exposer has the same name"
    return f"tool '{declared}' is renamed to '{name}'; {reason}"
