"""The origin of a base URL, with its TLS."""

from __future__ import annotations

from typing import Any

from yarl import URL

from adapter_host import ClientTls, client_tls_context

from .base import Origin


def origin_of(base: str, tls: ClientTls | None = None) -> Origin:
    """Return the origin of a base URL; for `https` without `tls`, load the authorities (`SSL_CERT_FILE`)."""
    url = URL(base)
    is_secure = url.scheme == "https"
    context = client_tls_context() if is_secure and tls is None else None
    port = url.port or (443 if is_secure else 80)
    authority = url.host_port_subcomponent or ""
    return Origin(url.scheme, url.raw_host or "", port, authority, context, tls if is_secure else None)


def tls_options(tls: ClientTls) -> dict[str, Any]:
    """Return the options of a request of aiohttp for the TLS of an API."""
    return {"ssl": tls.current.context, "server_hostname": tls.server_name}
