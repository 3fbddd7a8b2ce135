"""Directives of Cache-Control (RFC 9111, section 5.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from multidict import MultiMapping

Directives = Mapping[str, str | None]
"""Values by lower-case name."""

_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEMBER: Final = re.compile(rf'({_TOKEN})(?:=(?:"((?:[^"\\]|\\.)*)"|({_TOKEN})))?[ \t]*(?:,|$)')
_SEPARATORS: Final = re.compile(r"[ \t,]*")
_DIGITS: Final = re.compile(r"[0-9]+")
_MOST_SECONDS: Final = 2**31


def parse_directives(values: Iterable[str]) -> Directives:
    """Return the directives of all fields; the first one of a name counts. A malformed field means `no-store`."""
    directives: dict[str, str | None] = {}
    text = ", ".join(values)
    end = len(text)
    position = _SEPARATORS.match(text).end()  # type: ignore[union-attr] # It matches the empty text.
    while position < end:
        member = _MEMBER.match(text, position)
        if member is None:
            return {"no-store": None}
        directives.setdefault(member[1].lower(), member[2] if member[2] is not None else member[3])
        position = _SEPARATORS.match(text, member.end()).end()  # type: ignore[union-attr]
    return directives


def response_directives(headers: MultiMapping[str]) -> Directives:
    """Return the directives of a response."""
    return parse_directives(headers.getall("Cache-Control", ()))


def request_directives(headers: MultiMapping[str]) -> Directives:
    """Return the directives of a request, with `Pragma: no-cache` of older clients."""
    if "Cache-Control" in headers:
        return parse_directives(headers.getall("Cache-Control"))
    return parse_directives(headers.getall("Pragma", ()))


def seconds(directives: Directives, name: str) -> float | None:
    """Return the seconds of a directive, None if it is absent, and 0 if it is invalid."""
    if name not in directives:
        return None
    value = directives[name] or ""
    # Long numbers are not converted: they take quadratic time.
    return float(min(int(value[:20]), _MOST_SECONDS)) if _DIGITS.fullmatch(value) else 0.0
