"""Rejects unauthenticated and cross-origin requests that change something."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from adapter_host import HOST, Host

from .responses import RequestRejectedError

AUTHENTICATED: Final = web.AppKey("adapter_host_control_authenticated", bool)
"""The key of whether the control exposer has `authentication`."""


def check_caller(request: web.Request) -> Host:
    """Return the host if the request may change it; raises `RequestRejectedError`."""
    host = request.app[HOST]
    if host.attached and not request.app[AUTHENTICATED]:
        # The outer application may listen on any address, and does not check where requests come from. The principal
        # of a request is not enough: it may be any user of that application.
        raise RequestRejectedError(403, "this needs 'authentication' of the control exposer inside another application")
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") or _is_cross_origin(request):
        raise RequestRejectedError(403, "cross-origin request rejected")
    return host


def _is_cross_origin(request: web.Request) -> bool:
    """Return whether a browser sent the request for a page of another origin, including other local ports."""
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != request.headers.get("Host", "").lower()
    except ValueError:
        return True
