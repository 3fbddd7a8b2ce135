"""Send requests over pooled connections, and retry on stale ones."""

from __future__ import annotations

import re
from typing import Final

from adapter_host_http.request.request import Request
from adapter_host_http.transport.base import ConnectDeadlineError, ConnectError, Limits, Origin, Response, Transport
from adapter_host_http.transport.resend import may_send_again

from .connection import StaleConnectionError
from .outgoing import OutgoingRequest
from .pool import Pool

_WITH_BODY: Final = frozenset({"PATCH", "POST", "PUT"})
_CLOSE: Final = "Connection: close\r\n"
"""Sent with HEAD: a server that sends a body nevertheless would send the beginning of the next response."""
_TARGET: Final = re.compile(r"/[!-~]*").fullmatch


class NativeTransport(Transport):
    """Sends each request in one write, over its own pool of connections."""

    def __init__(self, origin: Origin, limits: Limits) -> None:
        self._origin = origin
        self._limits = limits
        self._line = f" HTTP/1.1\r\nHost: {origin.authority}\r\n"
        self._pool: Pool | None = None

    async def open(self) -> None:
        """Create the pool; open no connection yet."""
        self._pool = Pool(self._origin, self._limits)

    async def close(self) -> None:
        """Close all connections; calls in progress fail."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def send(
        self, method: str, request: Request, *, deadline: float, buffer_limit: int, events: bool = False
    ) -> Response:
        """Send a request; see `Transport.send`."""
        pool = self._pool
        if pool is None:
            raise ConnectError("the transport is not open")
        outgoing = OutgoingRequest(
            method, self._head(method, request), request.body, deadline, buffer_limit, not request.pass_through
        )
        outgoing.events = events
        if (declared := request.call_headers.get("content-length")) is not None:
            outgoing.length = int(declared[1])
        sends = 1
        try:
            connection = pool.pop_idle() or await pool.acquire(deadline)
        except TimeoutError:
            raise ConnectDeadlineError("no connection before the deadline") from None
        while True:
            response = connection.send(outgoing)
            try:
                await response.wait_ready()
            except StaleConnectionError:
                if not may_send_again(method, request, sends):
                    raise
                sends += 1
            else:
                return response
            try:
                connection = await pool.acquire(deadline, new=True)
            except ConnectError as error:
                error.sent = True
                raise

    def _head(self, method: str, request: Request) -> bytes:
        """Return the head of a request; raise `ValueError` for line breaks or spaces in its fields."""
        prepared, call_headers = request.prepared, request.call_headers
        lines = "".join([f"{name}: {value}\r\n" for name, value in call_headers.values()])
        length = _length_line(method, request)
        closing = _CLOSE if method == "HEAD" else ""
        head = f"{method} {request.target}{self._line}{prepared.lines}{lines}{length}{closing}\r\n"
        # All values were checked before; a mistake there would allow request smuggling here.
        count = prepared.count + len(call_headers) + 3 + bool(length) + bool(closing)
        if head.count("\n") != count or head.count("\r") != count or "\0" in head or not _TARGET(request.target):
            raise ValueError("a request with an unexpected line break, NUL or space")
        return head.encode()


def _length_line(method: str, request: Request) -> str:
    """Return the header line that states the length of the body."""
    body = request.body
    if (declared := request.call_headers.get("content-length")) is not None:
        if isinstance(body, bytes) and declared[1] != str(len(body)):
            raise ValueError("a request whose body differs from its Content-Length")
        return ""
    if isinstance(body, bytes):
        return f"Content-Length: {len(body)}\r\n"
    if body is None:
        return "Content-Length: 0\r\n" if method in _WITH_BODY else ""
    return "Transfer-Encoding: chunked\r\n"
