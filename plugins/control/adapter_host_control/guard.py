"""Who may change something: nobody unknown, and no page that a browser shows."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

from adapter_host import HOST, PRINCIPAL, Host

from .responses import RequestRejectedError


def check_caller(request: web.Request) -> Host:
    """The host that a request may change; raises `RequestRejectedError` when it may not."""
    host = request.app[HOST]
    if host.attached and PRINCIPAL not in request:
        # The application that listens may do so for anybody, and has the last word on where requests come from.
        raise RequestRejectedError(403, "inside another application this needs the control exposer's 'authentication'")
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") or _is_cross_origin(request):
        raise RequestRejectedError(403, "a page from elsewhere may not do this")
    return host


def _is_cross_origin(request: web.Request) -> bool:
    """Whether a browser says that the request is of a page of another origin, be it one on this machine."""
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != request.headers.get("Host", "").lower()
    except ValueError:
        return True
