"""Metadata URLs of authorization servers (RFC 8414) and protected resources (RFC 9728)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from adapter_host.hosts import is_loopback


def is_secure(url: str) -> bool:
    """Return whether secrets may be sent to a URL: HTTPS, or HTTP on localhost."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if not host or parts.username or parts.password or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def metadata_urls(issuer: str) -> Iterator[str]:
    """Yield the metadata URLs of an OAuth 2 issuer: RFC 8414 and OpenID Connect, path inserted, then appended."""
    parts = urlsplit(issuer)
    root, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    yield f"{root}/.well-known/oauth-authorization-server{path}"
    yield f"{root}/.well-known/openid-configuration{path}"
    if path:
        yield f"{root}{path}/.well-known/openid-configuration"
        yield f"{root}{path}/.well-known/oauth-authorization-server"


WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
"""The path of the metadata of protected resources (RFC 9728), followed by that of the resource."""
