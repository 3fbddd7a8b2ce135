"""HTTP syntax: tokens, headers of a connection, bare media types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from multidict import CIMultiDict

TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
"""A regular expression for a token, such as a header's name (RFC 9110, section 5.6.2)."""

HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers of one connection, in lower case, that are not forwarded (RFC 9110, section 7.6.1)."""

CONNECTION_HEADERS: Final = HOP_BY_HOP | {"content-length", "expect", "host"}
"""Headers that a client sets itself for each connection and message, in lower case."""


_TOKEN: Final = re.compile(TOKEN)


def is_token(text: str) -> bool:
    """Return True for a token, such as a header name or a method."""
    return _TOKEN.fullmatch(text) is not None


def is_connection_header(name: str) -> bool:
    """Return True for a header that only the sending client may set, in any case."""
    lower = name.lower()
    return lower in CONNECTION_HEADERS or lower.startswith("proxy-")


def end_to_end_headers(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """Return the headers that a proxy may pass on: without those of the connection (RFC 9110, section 7.6.1)."""
    dropped = set(HOP_BY_HOP)
    for name, value in headers.items():
        if name.lower() == "connection":
            dropped.update(token.strip().lower() for token in value.split(","))
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped)


def bare_media_type(content_type: str) -> str:
    """Return a `Content-Type` without its parameters, in lower case (RFC 9110, section 8.3.1)."""
    return content_type.partition(";")[0].strip().lower()
