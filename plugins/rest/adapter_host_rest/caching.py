"""Headers that tell caches for whom a response may be reused (RFC 9110, section 12.5.5, and RFC 9111, section 5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from multidict import CIMultiDict

from .arguments import ArgumentReader

_SHARED: Final = frozenset({"public", "s-maxage"})
_STORABLE: Final = ("Cache-Control", "Expires", "Last-Modified")


@dataclass(frozen=True, slots=True)
class Caching:
    """`vary` are the request headers that a response depends on; `private` responses are for one client."""

    vary: tuple[str, ...] = ()
    private: bool = False

    def apply(self, headers: CIMultiDict[str]) -> None:
        """Complete the headers of a response."""
        if self.vary:
            members = [member.strip() for value in headers.popall("Vary", ()) for member in value.split(",")]
            by_name = {member.lower(): member for member in (*self.vary, *members) if member}
            headers["Vary"] = "*" if "*" in by_name else ", ".join(by_name.values())
        if self.private and any(name in headers for name in _STORABLE):
            # The API's `public` includes clients that this exposer rejects.
            headers.popall("CDN-Cache-Control", None)
            headers["Cache-Control"] = _private(headers.popall("Cache-Control", ()))


UNRESTRICTED: Final = Caching()
"""Leaves the headers of responses as they are."""


def compile_caching(method: str, argument_reader: ArgumentReader | None, *, private: bool) -> Caching:
    """Return the caching of a route; `private` if its exposer authenticates clients."""
    # Caches store responses to GET, also for HEAD.
    vary = argument_reader.request_headers if argument_reader is not None and method == "GET" else ()
    return Caching(vary, private) if vary or private else UNRESTRICTED


def _private(values: Sequence[str]) -> str:
    directives = [directive.strip() for value in values for directive in value.split(",")]
    kept = [each for each in directives if each and each.partition("=")[0].strip().lower() not in _SHARED]
    names = {directive.lower() for directive in kept}
    return ", ".join(kept if names & {"private", "no-store"} else [*kept, "private"])
