"""Rejects unauthenticated and cross-origin requests that change something."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from adapter_host import HOST, BuildContext, Host, Refusal

from .responses import RequestRejectedError

AUTHENTICATED: Final = web.AppKey("adapter_host_control_authenticated", bool)
"""The key of whether the control exposer has `authentication`."""

CONTEXT: Final = web.AppKey("adapter_host_control_context", BuildContext)
"""The key of the context of the control exposer."""


def check_caller(request: web.Request) -> Host:
    """Return the host if the request may change it; raises `RequestRejectedError`."""
    host = request.app[HOST]
    if host.attached and not request.app[AUTHENTICATED]:
        # The outer application may listen on any address, and does not check where requests come from. The principal
        # of a request is not enough: it may be any user of that application.
        detail = "this needs 'authentication' of the control exposer inside another application"
        raise _refuse(request, Refusal(403, detail, code="authentication-required"))
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") or _is_cross_origin(request):
        raise _refuse(request, Refusal(403, "cross-origin request rejected", code="cross-origin"))
    return host


def _refuse(request: web.Request, refusal: Refusal) -> RequestRejectedError:
    resource = request.match_info.route.resource
    path = None if resource is None else resource.canonical
    request.app[CONTEXT].report_refusal(refusal, method=request.method, path=path)
    return RequestRejectedError(refusal.status, refusal.detail)


def _is_cross_origin(request: web.Request) -> bool:
    """Return whether a browser sent the request for a page of another origin, including other local ports."""
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != request.headers.get("Host", "").lower()
    except ValueError:
        return True
