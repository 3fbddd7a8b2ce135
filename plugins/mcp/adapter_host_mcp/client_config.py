"""The configuration of clients, for their users."""

from __future__ import annotations

from typing import Any, Final

from adapter_host import Authentication

_HEADERS: Final = {
    "bearer": {"Authorization": "Bearer <token>"},
    "basic": {"Authorization": "Basic <base64 of user:password>"},
}


def client_config(url: str, authentication: Authentication | None) -> dict[str, Any]:
    """Return the entry of a server in the configuration of a client; credentials are placeholders."""
    server: dict[str, Any] = {"type": "http", "url": url}
    if authentication is None:
        return server
    if authentication.type == "apikey" and authentication.placement == "query":
        return {**server, "url": f"{url}?{authentication.key}=<key>"}
    # With OAuth 2.0, clients discover the authorization server themselves.
    headers = {authentication.key: "<key>"} if authentication.type == "apikey" else _HEADERS.get(authentication.type)
    return {**server, "headers": headers} if headers else server
