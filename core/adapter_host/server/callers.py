"""The callers of HTTP exposers, read from requests when a plugin asks for them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from typing import Final

from aiohttp import web

from adapter_host.hosts import address_check
from adapter_host.operation.callers import CallContext, CallSite, Principal

from .request_ids import request_id_of

PRINCIPAL: Final = web.RequestKey("adapter_host_principal", Principal)
"""The key of the authenticated caller in a request; absent if the exposer has no authentication."""

_CONTEXT: Final = web.RequestKey("adapter_host_call", CallContext)


def call_reader(site: CallSite, trusted_proxies: Sequence[str]) -> Callable[[web.Request], CallContext]:
    """Return a function that returns the context of the calls of a request: the same one for all of them."""
    read_address = client_reader(trusted_proxies)

    def read(request: web.Request) -> CallContext:
        context = request.get(_CONTEXT)
        if context is None:
            keys = request.headers.getall("Idempotency-Key", ())
            context = site.describe(
                "http",
                principal=request.get(PRINCIPAL),
                client_address=read_address(request),
                request_id=request_id_of(request),
                idempotency_key=", ".join(keys) if keys else None,
            )
            # Before the end of the access check, the caller is not known yet.
            if site.authentication is None or context.principal is not None:
                request[_CONTEXT] = context
        return context

    return read


def client_reader(trusted_proxies: Sequence[str]) -> Callable[[web.BaseRequest], str | None]:
    """Return a function that returns the address of the client of a request.

    Behind trusted proxies it is the last address in X-Forwarded-For that is none of theirs; a client can send any.
    """
    is_proxy = address_check(trusted_proxies)

    def read(request: web.BaseRequest) -> str | None:
        address = request.remote or None
        if not trusted_proxies or address is None:
            return address
        hops = [hop.strip() for line in request.headers.getall("X-Forwarded-For", ()) for hop in line.split(",")]
        while hops and is_proxy(address):
            hop = _address_of(hops.pop())
            if hop is None:
                break
            address = hop
        return address

    return read


def _address_of(hop: str) -> str | None:
    """Return the address in an element of X-Forwarded-For, which may have a port; None if it is malformed."""
    bracketed = hop.startswith("[")
    text = hop[1:].partition("]")[0] if bracketed else hop
    if not bracketed and text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
