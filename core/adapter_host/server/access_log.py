"""The access log of HTTP exposers: one record for each request, also for refused and malformed ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from adapter_host.operation.call_record import CANCELLED, CURRENT_RECORD, NO_SITE, CallRecord
from adapter_host.operation.callers import CallSite

from .callers import PRINCIPAL, client_reader
from .connection.requests import HostRequest
from .request_ids import request_id_of

CLIENT_CLOSED_REQUEST: Final = 499
"""The status of a request whose client has gone before the response, as nginx logs it; it is never sent."""

_CATCH_ALL: Final = "/{path}"
"""The route of an exposer, below its prefix, that routes requests itself."""
_NO_METHOD: Final = "UNKNOWN"
"""The method that aiohttp sets for requests that its parser rejects."""


class RequestLog:
    """Completes the records of the requests of one listener.

    `sole_site` returns the site of its exposer, for requests that have reached none; an empty one if it has several.
    """

    def __init__(
        self, write: Callable[[CallRecord], None], trusted_proxies: Sequence[str], sole_site: Callable[[], CallSite]
    ) -> None:
        self._write = write
        self._sole_site = sole_site
        self._read_address = client_reader(trusted_proxies)

    def handler(
        self, handle: Callable[[HostRequest], Awaitable[web.StreamResponse]]
    ) -> Callable[[HostRequest], Awaitable[web.StreamResponse]]:
        """Return a handler that begins the record of each request; the connection ends it after the response."""

        async def recorded(request: HostRequest) -> web.StreamResponse:
            record = request.record = CallRecord(method=request.method)
            CURRENT_RECORD.set(record)
            try:
                return await handle(request)
            except asyncio.CancelledError:
                record.error = record.error or CANCELLED
                self.end(request, record.status or CLIENT_CLOSED_REQUEST)
                raise

        return recorded

    def end(self, request: web.BaseRequest, status: int | str, error: str | None = None) -> None:
        """Complete the record of a request, and write it."""
        record = request.record if isinstance(request, HostRequest) else None
        if record is None:
            record = CallRecord(method=None if request.method == _NO_METHOD else request.method)
        record.duration = perf_counter() - record.started
        record.status = status
        record.error = record.error or error
        record.request_id = request_id_of(request)
        record.size = request.writer.output_size or record.size
        record.client_address = self._read_address(request)
        if PRINCIPAL in request:
            record.authentication = record.site.authentication
        if record.site is NO_SITE:
            record.site = self._sole_site()
        record.path = path_template(request) if record.path is None else f"{record.prefix}{record.path}"
        self._write(record)

    def end_without_request(
        self, status: int, error: str | None, request_id: str, size: int, duration: float, address: str
    ) -> None:
        """Write the record of a response to something that is no complete request; the peer sent no headers."""
        record = CallRecord(self._sole_site(), request_id=request_id, status=status, error=error)
        record.size, record.duration, record.client_address = size, duration, address or None
        self._write(record)


def sole_site(sites: Sequence[CallSite]) -> CallSite:
    """Return the site of a listener with one exposer, else an empty one."""
    return sites[0] if len(sites) == 1 else NO_SITE


def path_template(request: web.BaseRequest) -> str | None:
    """Return the path of the route that has matched, with the names of its variables in the place of values."""
    match = request._match_info if isinstance(request, web.Request) else None
    resource = None if match is None else match.route.resource
    canonical = None if resource is None else resource.canonical
    return None if canonical is None or canonical.endswith(_CATCH_ALL) else canonical


def record_site(access: Middleware, site: CallSite, prefix: str, endpoint: str) -> Middleware:
    """Return the access check of an exposer, which adds the exposer to the record of each request."""
    own_path = f"{prefix}{endpoint}"

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if (record := CURRENT_RECORD.get()) is not None:
            record.site, record.prefix = site, prefix
            if endpoint and request.rel_url.raw_path == own_path:
                record.path = endpoint
        return await access(request, handler)

    return middleware
