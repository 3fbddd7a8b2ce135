"""One request of an ASGI server, handled as a request of aiohttp."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from adapter_host.server.connection.requests import HostRequest
from adapter_host.server.problem_json import problem_response
from adapter_host.server.request_ids import request_id_of
from adapter_host.settings import Settings

from .scope import Message, Receive, Scope, Send, read_head
from .writer import AsgiTransport, AsgiWriter

HandleRequest = Callable[[HostRequest], Awaitable[web.StreamResponse]]

READ_AHEAD: Final = 64 * 1024
"""Bytes of a request body that are read before the handler wants them; twice as many pause the server."""

_log = logging.getLogger("adapter_host")


class _Protocol(BaseProtocol):
    """aiohttp's connection of a request, which only pauses the reading of its body."""

    __slots__ = ("peername", "resumed", "sockname")

    max_field_size = 8190
    max_headers = 128
    ssl_context = None

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: AsgiTransport) -> None:
        super().__init__(loop)
        self.transport = transport
        self.peername = transport.get_extra_info("peername")
        self.sockname = transport.get_extra_info("sockname")
        self.resumed = asyncio.Event()
        self.resumed.set()

    def pause_reading(self) -> None:
        self._reading_paused = True
        self.resumed.clear()

    def resume_reading(self, resume_parser: bool = True) -> None:
        self._reading_paused = False
        self.resumed.set()


class Exchange:
    """One request and its response."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, settings: Settings) -> None:
        self._scope = scope
        self._receive = receive
        self._settings = settings
        self._head = read_head(scope)
        self._transport = AsgiTransport({"peername": scope.get("client"), "sockname": scope.get("server")})
        is_http1 = str(scope.get("http_version", "1.1")).startswith("1")
        self._writer = AsgiWriter(send, self._transport, settings.send_timeout, keeps_connections=is_http1)
        self._protocol = _Protocol(asyncio.get_running_loop(), self._transport)
        self._payload: StreamReader = EMPTY_PAYLOAD

    async def run(self, handle: HandleRequest) -> None:
        """Handle the request; cancel its handler when the client disconnects."""
        first = await self._receive() if self._head.has_body is None else None
        if first is not None and first["type"] == "http.disconnect":
            return
        has_body = self._head.has_body if first is None else bool(first.get("body") or first.get("more_body"))
        if has_body:
            self._payload = StreamReader(self._protocol, READ_AHEAD, loop=asyncio.get_running_loop())
        responding = asyncio.create_task(self._respond(handle))
        reading = asyncio.create_task(self._read(first, responding))
        try:
            await asyncio.wait((responding,))
        finally:
            for task in (responding, reading):
                task.cancel()
            outcomes = await asyncio.gather(responding, reading, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def _read(self, message: Message | None, responding: asyncio.Task[None]) -> None:
        """Read the body while the handler does, and then wait for the disconnect."""
        try:
            while True:
                message = message or await self._receive()
                if message["type"] == "http.disconnect":
                    return
                self._feed(message)
                message = None
                await self._protocol.resumed.wait()
        finally:
            self._transport.close()
            responding.cancel()

    def _feed(self, message: Message) -> None:
        payload = self._payload
        if payload is EMPTY_PAYLOAD or payload.is_eof():
            return
        payload.feed_data(message.get("body", b""))
        if not message.get("more_body", False):
            payload.feed_eof()

    async def _respond(self, handle: HandleRequest) -> None:
        request = self._request()
        try:
            response = await self._response(request, handle)
            await response.prepare(request)
            await response.write_eof()
        except ConnectionError:
            # Without its end, the server closes the connection.
            return
        except Exception:
            _log.exception("request %s: unexpected error", request_id_of(request))

    async def _response(self, request: HostRequest, handle: HandleRequest) -> web.StreamResponse:
        try:
            return await handle(request)
        except web.HTTPException as error:
            return error
        except ConnectionError:
            raise
        except Exception as error:
            request_id = request_id_of(request)
            _log.exception("request %s: unexpected error", request_id)
            if self._writer.is_started:
                # Only a broken connection still reports the error.
                raise ConnectionResetError("the response has been sent in part") from error
            return problem_response(500, "unexpected error", request_id=request_id)

    def _request(self) -> HostRequest:
        task: Any = asyncio.current_task()
        protocol: Any = self._protocol
        request = HostRequest(
            self._head.message,
            self._payload,
            protocol,
            self._writer,
            task,
            asyncio.get_running_loop(),
            client_max_size=self._settings.body_limit,
            scheme=self._scope.get("scheme", "http"),
        )
        request.root_path = self._head.root_path
        return request
