"""Where an authorization server is found, and what may be believed of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from adapter_host.hosts import is_loopback


def is_secure(url: str) -> bool:
    """Whether secrets may be sent to a URL, and its answers be believed: HTTPS, or this machine alone."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if not host or parts.username or parts.password or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def metadata_urls(issuer: str) -> Iterator[str]:
    """Where an OAuth 2 issuer may describe itself, in order: RFC 8414, OpenID Connect in both readings, and between."""
    parts = urlsplit(issuer)
    root, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    yield f"{root}/.well-known/oauth-authorization-server{path}"
    yield f"{root}/.well-known/openid-configuration{path}"
    if path:
        yield f"{root}{path}/.well-known/openid-configuration"
        yield f"{root}{path}/.well-known/oauth-authorization-server"


WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
"""Below which path, of the root, protected resources are described (RFC 9728)."""
