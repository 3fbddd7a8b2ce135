"""Client sessions of aiohttp whose connections never pass data of one response to the next."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError, RawResponseMessage
from aiohttp.streams import StreamReader

from .connections import client_tls_context, ended_cleanly, unread_data_check

_HEAD_END: Final = b"\r\n\r\n"
_STATUS_LINE: Final = b"HTTP/"
_BODILESS: Final = frozenset({204, 304})
_HEAD_LIMIT: Final = 64 * 1024
"""Bytes of the head of a response, together with the interim responses before it."""


class StaleConnectionError(aiohttp.ServerDisconnectedError):
    """A reused connection was closed before the first byte of a response, or had other data before it."""


class ClientConnector(aiohttp.TCPConnector):
    """Reuses a connection only if nothing can follow its last response, and nothing arrived while it was idle."""

    def __init__(
        self,
        *,
        limit: int,
        tls_context: ssl.SSLContext | None = None,
        socket_factory: Callable[[Any], socket.socket] | None = None,
        resolver: aiohttp.abc.AbstractResolver | None = None,
    ) -> None:
        context = tls_context or client_tls_context()
        super().__init__(limit=limit, ssl=context, socket_factory=socket_factory, resolver=resolver)
        self._factory = cast("partial[ResponseHandler]", partial(_Connection, loop=self._loop))


def open_client_session(
    *, limit: int, timeout: aiohttp.ClientTimeout, connector: ClientConnector | None = None
) -> aiohttp.ClientSession:
    """Return a session without cookies, whose responses are not compressed.

    It has at most `limit` connections, or those of `connector`.
    """
    return aiohttp.ClientSession(
        connector=connector or ClientConnector(limit=limit),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        auto_decompress=False,
        timeout=timeout,
    )


class _Connection(ResponseHandler):
    """A connection that notices where a response ends, and what arrives after it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._requests = 0
        self._suspect = False
        self._awaits_head = False
        self._silent = True
        self._heads = 0
        self._received = b""
        """The data of the response until its last head is complete, then the last bytes."""
        self._left: int | None = None
        """Bytes of the body that are still to arrive; None if the body is chunked."""
        self._ended_cleanly = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._has_unread_data = unread_data_check(transport)

    @property
    def should_close(self) -> bool:
        return self._suspect or super().should_close

    def is_connected(self) -> bool:
        if not super().is_connected():
            return False
        return not (self._is_idle() and (self.should_close or self._has_unread_data()))

    def set_response_params(self, **parameters: Any) -> None:
        self._requests += 1
        self._awaits_head = self._silent = True
        self._heads = 0
        self._received = b""
        self._left = None
        if parameters.get("skip_payload"):
            # Some servers send a body with a response to HEAD nevertheless.
            self._suspect = True
        super().set_response_params(**parameters)

    def data_received(self, data: bytes) -> None:
        if not data:
            # The parser resumes.
            super().data_received(data)
            return
        if self._awaits_head:
            if self._silent:
                if self._requests > 1 and not data.startswith(_STATUS_LINE) and not self._begins_response(data):
                    self._drop()
                    self.set_exception(StaleConnectionError("data before the response"))
                    return
                self._silent = not data.strip(b"\r\n")
            self._received = self._received + data if self._received else data
        elif self._requests and self._is_idle():
            # RFC 9112, 9.2: it is no response.
            self._drop()
            return
        elif self._left is None:
            self._received = (self._received + data)[-len(_HEAD_END) :]
        else:
            self._left -= len(data)
            if self._left < 0:
                # Before aiohttp reads the end of the body, and releases the connection.
                self._suspect = True
        super().data_received(data)
        if self._awaits_head:
            if len(self._received) > _HEAD_LIMIT:
                self._drop()
                self.set_exception(HttpProcessingError(message="a response with too large a head"))
        elif self._left is None and self._received != _HEAD_END and self._is_idle():
            self._suspect = True

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        message = data[0]
        self._heads += 1
        if not self._awaits_head:
            # A second response to one request.
            self._suspect = True
            return
        if message.code >= 200 or message.code == 101:
            self._awaits_head = False
            self._expect_end(message)
        elif _announces_body(message):
            self._suspect = True
        super().feed_data(data, size)

    def eof_received(self) -> None:
        if self.transport is not None:
            self._ended_cleanly = ended_cleanly(self.transport)
        super().eof_received()

    def connection_lost(self, exc: BaseException | None) -> None:
        payload = self._payload
        if exc is None and not self._ended_cleanly and payload is not None and not payload.is_eof():
            payload.set_exception(aiohttp.ClientPayloadError("the connection was closed without a TLS close_notify"))
        super().connection_lost(exc)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        lost = isinstance(exc, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
        if lost and self._silent and self._requests > 1 and not isinstance(exc, StaleConnectionError):
            exc = StaleConnectionError("the connection was closed before the response")
        super().set_exception(exc, *cause)

    def _is_idle(self) -> bool:
        return not self._awaits_head and (self._payload is None or self._payload.is_eof())

    def _drop(self) -> None:
        self._suspect = True
        if self.transport is not None:
            self.transport.abort()

    def _begins_response(self, data: bytes) -> bool:
        # Some servers end a response with an empty line too many, which harms nobody.
        text = data.lstrip(b"\r\n")
        self._suspect = self._suspect or len(text) < len(data)
        return text.startswith(_STATUS_LINE) or _STATUS_LINE.startswith(text)

    def _expect_end(self, message: RawResponseMessage) -> None:
        """Determine where the response ends, from its last head."""
        received, self._received = self._received, self._received[-len(_HEAD_END) :]
        if message.code in _BODILESS:
            self._suspect = self._suspect or _announces_body(message)
        elif message.chunked:
            # RFC 9112, 6.1: the framing of such a response of HTTP/1.0 is faulty.
            self._suspect = self._suspect or message.version < aiohttp.HttpVersion11
            return
        head_end = 0
        for _ in range(self._heads):
            head_end = received.find(_HEAD_END, head_end) + len(_HEAD_END)
        length = message.headers.get("Content-Length", "0") if message.code not in _BODILESS else "0"
        self._left = left = int(length) + head_end - len(received) if length.isdigit() else -1
        if left < 0:
            self._suspect = True


def _announces_body(message: RawResponseMessage) -> bool:
    return message.chunked or bool(message.headers.get("Content-Length", "0").strip("0"))
