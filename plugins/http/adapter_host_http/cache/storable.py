"""Which responses may be kept (RFC 9111, section 3)."""

from __future__ import annotations

from typing import Final

from multidict import MultiMapping

from adapter_host import event_format
from adapter_host_http.cache_policy import MAX_BODY
from adapter_host_http.transport.base import Response

from .directives import Directives, response_directives
from .entry import Entry

_STATUSES: Final = frozenset({200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501})
"""Those that are cacheable by default (RFC 9110, section 15.1), except 206."""

_FOR_ALL: Final = frozenset({"public", "must-revalidate", "s-maxage"})


def is_storable(response: Response | Entry, body: bytes) -> bool:
    """Return whether a response, or one that a 304 has updated, may be kept, at least for its caller."""
    headers = response.headers
    return (
        response.status in _STATUSES
        and len(body) <= MAX_BODY
        and "no-store" not in response_directives(headers)
        and "Set-Cookie" not in headers
        and "*" not in vary_names(headers)
        and event_format(response.media_type) is None
    )


def vary_names(headers: MultiMapping[str]) -> set[str]:
    """Return the request headers on which a response depends, in lower case."""
    members = (member.strip().lower() for value in headers.getall("Vary", ()) for member in value.split(","))
    return {member for member in members if member}


def is_authorized(headers: MultiMapping[str], *, has_credential: bool) -> bool:
    """Return whether a request has a credential, in whatever place."""
    return has_credential or "Authorization" in headers or "Cookie" in headers


def needs_caller(directives: Directives, *, authorized: bool) -> bool:
    """Return whether a response may be kept only for its caller (section 3.5)."""
    return "private" in directives or (authorized and _FOR_ALL.isdisjoint(directives))
