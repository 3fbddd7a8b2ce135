"""The HTTP connection of a client: aiohttp's, with time limits for what the client sends and reads."""

from __future__ import annotations

import asyncio
from typing import Final, cast

from aiohttp import web
from aiohttp.http import RawRequestMessage

from adapter_host.operation.request_id import new_request_id
from adapter_host.server.problem_json import problem_response
from adapter_host.server.request_ids import request_id_of

from .connections import Connections
from .log import BODY_TIMEOUT, HEADER_TIMEOUT, SEND_TIMEOUT
from .progress import Progress, is_send_stalled
from .protocol_errors import HostProtocol, HostServer, RequestEnd
from .requests import HostRequest
from .responses import is_plain, send_plain

_ERRORS: Final = {408: "request-timeout", 503: "too-many-connections"}
"""The errors in the access log of responses below the handlers."""


class ConnectionProtocol(HostProtocol):
    """One connection.

    aiohttp closes an idle connection by itself. `check` is called about once a second, so that no request needs a timer
    of its own. It reads private attributes of aiohttp, whose public interface does not show the state of a connection:
    `_waiter` exists while no request is in progress, `_messages` are the parsed requests that wait.
    """

    __slots__ = (
        "_body_progress",
        "_body_request",
        "_connections",
        "_head_mark",
        "_head_requests",
        "_head_since",
        "_received",
        "_send_progress",
        "_tcp",
        "address",
    )

    def __init__(self, connections: Connections, server: HostServer, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(server, loop=loop, **server._kwargs)
        self._connections = connections
        self.address = ""
        self._tcp: asyncio.Transport | None = None
        self._received = 0
        self._head_requests = 0
        self._head_mark = 0
        self._head_since: float | None = None
        self._body_request = 0
        self._body_progress = Progress()
        self._send_progress = Progress()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve the connection, or refuse it with 503 if a limit is reached."""
        tcp = cast(asyncio.Transport, transport)
        peer = tcp.get_extra_info("peername")
        self.address = peer[0] if peer else ""
        if self._connections.admit(self, self.address, tcp.get_extra_info("socket").fileno()):
            self._tcp = tcp
            self._head_since = self._loop.time()
            super().connection_made(transport)
            return
        # Without its server, aiohttp's `connection_lost` has nothing to do.
        self._manager = None
        self._force_close = True
        request_id = new_request_id()
        data = _last_response(503, "too many connections", {"Retry-After": "1"}, request_id)
        tcp.write(data)
        tcp.close()
        self._note_last(503, request_id, len(data), 0.0)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Remove the connection."""
        self._connections.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse requests; end the connection when a body is malformed, as its handler would wait for the rest."""
        self._received += len(data)
        super().data_received(data)
        if self._messages and type(self._messages[-1][0]) is not RawRequestMessage:
            self._end_malformed_body()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send a response; return it, and whether the client has gone."""
        if self._upgraded or not is_plain(request, resp):
            return await super().finish_response(request, resp, start_time)
        try:
            await send_plain(request, resp)
        except ConnectionError:
            return resp, True
        return resp, False

    def _end_malformed_body(self) -> None:
        if len(self._messages) > 1:
            # The request has not started, so aiohttp can respond with the error in its place.
            if not self._messages[-2][1].is_eof():
                del self._messages[-2]
        elif self.is_body_incomplete:
            self._messages.clear()
            self._end(400, "the request body is malformed")
        elif self._request_count > 1 and self._current_request is None and self._waiter is None:
            # The response has been sent; aiohttp would wait some seconds for the rest of the body.
            self.force_close()

    @property
    def is_idle(self) -> bool:
        """True while no request is in progress."""
        return self._waiter is not None and not self._messages

    @property
    def is_silent(self) -> bool:
        """True until the first complete request head."""
        return not self._request_count and self._waiter is not None

    @property
    def is_body_incomplete(self) -> bool:
        """True while the body of the current request is being received."""
        request = self._current_request
        return request is not None and not cast(web.Request, request).content.is_eof()

    async def response_sent(self) -> None:
        """Wait for the end of the current response."""
        waiter = self._handler_waiter = self._handler_waiter or self._loop.create_future()
        try:
            # aiohttp completes the future, which must therefore not be cancelled.
            await asyncio.shield(waiter)
        finally:
            if self._handler_waiter is waiter:
                self._handler_waiter = None

    def evict(self) -> None:
        """Close the connection while it is idle, without waiting until the client has read earlier responses."""
        assert self._tcp is not None
        # With TLS, a client could delay the end by not responding to the close_notify.
        if self._tcp.get_write_buffer_size() or self._tcp.get_extra_info("sslcontext") is not None:
            self._tcp.abort()
        else:
            self.force_close()

    def check(self, now: float) -> None:
        """End the connection if it has exceeded a time limit."""
        tcp = self._tcp
        if tcp is None:
            return
        if pending := tcp.get_write_buffer_size():
            request = self._current_request
            written: int = 0 if request is None else request.writer.output_size
            if is_send_stalled(self._send_progress, now, written, pending, self._connections.settings):
                self._connections.log.report(SEND_TIMEOUT, self.address)
                tcp.abort()
                return
        else:
            self._send_progress.pause()
        if tcp.is_closing():
            return
        if self._waiter is not None:
            self._check_head(now)
        else:
            self._check_body(now)

    def _check_head(self, now: float) -> None:
        requests = self._request_count
        if requests != self._head_requests:
            self._head_requests, self._head_mark, self._head_since = requests, self._received, None
        is_partial = self._received > self._head_mark
        if self._head_since is None and is_partial:
            self._head_since = now
        timeout = self._connections.settings.header_timeout
        if self._head_since is not None and timeout and now - self._head_since >= timeout:
            self._connections.log.report(HEADER_TIMEOUT, self.address)
            if is_partial:
                self._end(408, f"the request head was not received within {timeout:g} s")
            else:
                # A browser that only opened the connection would take a response for that to its next request.
                self.force_close()

    def _check_body(self, now: float) -> None:
        # While reading is paused, the handler does not read: the client is not to blame.
        if not self.is_body_incomplete or self._reading_paused or self._buffer_paused or self._upgraded:
            self._body_progress.pause()
            return
        number = self._request_count - len(self._messages)
        if number != self._body_request:
            self._body_request = number
            self._body_progress.pause()
        settings = self._connections.settings
        timeout, required = settings.body_timeout, settings.body_timeout * settings.minimum_rate
        if self._body_progress.is_stalled(now, self._received, timeout=timeout, required=max(1.0, required)):
            self._connections.log.report(BODY_TIMEOUT, self.address)
            self._end(408, _too_slow(max(1.0, required), timeout))

    def _end(self, status: int, detail: str) -> None:
        """Close the connection with an error response, if none has begun."""
        request, tcp = self._current_request, self._tcp
        is_expected = self._waiter is not None if request is None else not request.writer.output_size
        if is_expected and tcp is not None and not tcp.is_closing():
            request_id = new_request_id() if request is None else request_id_of(request)
            data = _last_response(status, detail, {}, request_id)
            tcp.write(data)
            since = self._head_since
            self._note_last(status, request_id, len(data), 0.0 if since is None else self._loop.time() - since)
        self.force_close()

    def _note_last(self, status: int, request_id: str, size: int, duration: float) -> None:
        """Note a response below the handlers, to a request that had no complete head or is in progress."""


class RecordedConnectionProtocol(ConnectionProtocol):
    """A connection whose requests are written to the access log."""

    __slots__ = ("_request_log",)

    def __init__(
        self, connections: Connections, server: HostServer, loop: asyncio.AbstractEventLoop, request_log: RequestEnd
    ) -> None:
        super().__init__(connections, server, loop)
        self._request_log = request_log

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send a response, and write the line of its request."""
        sent, has_gone = await super().finish_response(request, resp, start_time)
        self._request_log.end(request, sent.status, "client-disconnected" if has_gone else None)
        return sent, has_gone

    def _end(self, status: int, detail: str) -> None:
        """Note the status with which the host ends a request in the place of the handler."""
        if isinstance(self._current_request, HostRequest) and (record := self._current_request.record) is not None:
            record.status, record.error = status, _ERRORS.get(status)
        super()._end(status, detail)

    def _note_last(self, status: int, request_id: str, size: int, duration: float) -> None:
        """Write the line of a response; a request in progress has one at its end."""
        if isinstance(self._current_request, HostRequest) and (record := self._current_request.record) is not None:
            record.size = size
        else:
            self._request_log.end_without_request(status, _ERRORS.get(status), request_id, size, duration, self.address)


def _too_slow(required: float, timeout: float) -> str:
    if required <= 1:
        return f"nothing of the request body was received in {timeout:g} s"
    return f"less than {required:g} bytes of the request body were received in {timeout:g} s"


def _last_response(status: int, detail: str, headers: dict[str, str], request_id: str) -> bytes:
    """Return a complete response after which the connection is closed."""
    response = problem_response(status, detail, request_id=request_id, headers={**headers, "Connection": "close"})
    body = cast(bytes, response.body)
    lines = [f"HTTP/1.1 {status} {response.reason}", *(f"{name}: {value}" for name, value in response.headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
