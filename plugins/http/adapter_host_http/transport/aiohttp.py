"""A transport over aiohttp's client, which also supports proxies."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from io import BytesIO
from typing import Any, Final

import aiohttp
from aiohttp.http import HttpVersion10, HttpVersion11
from yarl import URL

from adapter_host import ClientProxy, StaleConnectionError, event_format
from adapter_host_http.request.request import ACCEPTED_CODINGS, Payload, Request

from .aiohttp_errors import (
    PROGRESS,
    Progress,
    ProgressConnector,
    ProgressSocksConnector,
    ProgressTunnelConnector,
    translate_errors,
)
from .base import ConnectError, Limits, MalformedResponseError, Origin, ProxyError, Response, Transport, TransportError
from .content_coding import decoder_of
from .origins import tls_options
from .resend import may_send_again

_PIECE: Final = 64 * 1024
_BODILESS: Final = frozenset({204, 304})
_FILE_THRESHOLD: Final = 2**20
"""aiohttp sends larger bodies in pieces only from a file object."""


def open_session(origin: Origin, limits: Limits, proxy: ClientProxy | None = None) -> aiohttp.ClientSession:
    """Return a session without cookies, and without headers other than the connection's."""
    options: dict[str, Any] = {"limit": limits.max_connections, "tls_context": origin.ssl_context}
    if proxy is None and origin.ssl_context is None:
        # The origin has no TLS, or that of the options of each request. The default context would load the
        # authorities, which takes longer than everything else.
        options["tls_context"] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    connector: ProgressConnector
    if proxy is None:
        connector = ProgressConnector(**options)
    elif proxy.is_socks:
        connector = ProgressSocksConnector(proxy.url, **options)
    else:
        connector = ProgressTunnelConnector(**options)
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        # Its decoders are in the event loop, and have no limit but time.
        auto_decompress=False,
        skip_auto_headers=("Content-Type",),
        # A stream may take any time; only its pauses are limited.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=limits.connect_timeout, sock_read=limits.idle_timeout),
    )
    # It would send a request again on new connections and after partial responses, too.
    session._retry_connection = False
    return session


class AiohttpTransport(Transport):
    """Sends requests with an aiohttp session, through `proxy` if there is one."""

    def __init__(self, origin: Origin, limits: Limits, proxy: ClientProxy | None = None) -> None:
        self._origin = origin
        self._limits = limits
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Create the session; open no connection yet."""
        self._session = open_session(self._origin, self._limits, self._proxy)

    async def close(self) -> None:
        """Close all connections; calls in progress fail."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(
        self, method: str, request: Request, *, deadline: float, buffer_limit: int, events: bool = False
    ) -> Response:
        """Send a request; see `Transport.send`."""
        if self._session is None:
            raise ConnectError("the transport is not open")
        upload: Upload | None = None
        progress = Progress()
        PROGRESS.set(progress)
        try:
            with translate_errors(progress):
                async with asyncio.timeout_at(deadline) as timeout:
                    body = request.body
                    if body is not None and not isinstance(body, bytes):
                        body = upload = Upload(body, timeout, self._limits.idle_timeout)
                    response = await self._request(self._session, method, request, body)
                    progress.responded = True
                    read_deadline = timeout.when() or asyncio.get_running_loop().time() + self._limits.idle_timeout
                    decompress = not request.pass_through
                    received = AiohttpResponse(response, progress, read_deadline, decompress=decompress)
                    if events and event_format(received.media_type) is not None:
                        received.is_event_stream = True
                        return received
                    if buffer_limit and not received.take_body(buffer_limit):
                        await received.buffer(buffer_limit)
                    return received
        except (TimeoutError, TransportError):
            if upload is not None and upload.error is not None:
                raise upload.error from None
            raise

    async def _request(
        self,
        session: aiohttp.ClientSession,
        method: str,
        request: Request,
        body: Payload,
    ) -> aiohttp.ClientResponse:
        headers = request.headers
        if request.prepared.accept_codings:
            headers["Accept-Encoding"] = ACCEPTED_CODINGS
        if method == "HEAD":
            # A server that sends a body nevertheless would send the beginning of the next response.
            headers["Connection"] = "close"
        tls = self._origin.tls
        options = {} if tls is None else tls_options(tls)
        proxy = self._proxy
        if proxy is not None and not proxy.is_socks:
            options["proxy"] = proxy.url
        sends = 1
        while True:
            try:
                response = await session.request(
                    method,
                    URL(f"{self._origin}{request.target}", encoded=True),
                    headers=headers,
                    data=BytesIO(body) if isinstance(body, bytes) and len(body) > _FILE_THRESHOLD else body,
                    allow_redirects=False,
                    **options,
                )
                break
            except StaleConnectionError:
                if not may_send_again(method, request, sends):
                    raise
                sends += 1
        if response.status == 407 and "proxy" in options and self._origin.scheme == "http":
            # The proxy has not sent the request; without a tunnel, its response is in the place of that of the API.
            response.close()
            raise ProxyError("the proxy responded with status 407")
        if not 200 <= response.status <= 599 or response.version not in (HttpVersion10, HttpVersion11):
            response.close()
            raise MalformedResponseError("a response of another protocol")
        return response


class AiohttpResponse(Response):
    """A response of aiohttp."""

    __slots__ = ("_deadline", "_decoder", "_pending", "_progress", "_response")

    def __init__(
        self, response: aiohttp.ClientResponse, progress: Progress, deadline: float, *, decompress: bool
    ) -> None:
        self.status = response.status
        self.headers = response.headers
        self.media_type = response.headers.get("Content-Type", "")
        self.body: bytes | None = None
        self.is_event_stream = False
        self._response = response
        self._progress = progress
        self._deadline = deadline
        self._pending = b""
        has_body = response.method != "HEAD" and response.status not in _BODILESS
        coding = ",".join(response.headers.getall("Content-Encoding", ())) if decompress and has_body else ""
        try:
            self._decoder = decoder_of(coding) if coding else None
        except MalformedResponseError:
            response.close()
            raise

    def take_body(self, limit: int) -> bool:
        """Set `body` if it was received completely, and needs no decoding; return whether it was."""
        content = self._response.content
        if self._decoder is not None or not content.is_eof() or content.exception() is not None:
            return False
        body = content.read_nowait()
        if len(body) > limit:
            self._pending = body
        else:
            self.body = body
        return True

    async def buffer(self, limit: int) -> None:
        """Set `body` if the response has at most `limit` bytes; close the response if it cannot be read."""
        try:
            await self._buffer(limit)
        except BaseException:
            self.close()
            raise

    async def _buffer(self, limit: int) -> None:
        read, complete = await self._read(limit)
        if complete:
            self.body = read
        else:
            self._pending = read

    async def read(self, limit: int) -> bytes | None:
        """Return the body before the deadline, or None and close if it has more than `limit` bytes."""
        try:
            with translate_errors(self._progress):
                async with asyncio.timeout_at(self._deadline):
                    rest, complete = await self._read(limit - len(self._pending))
        except BaseException:
            self.close()
            raise
        if complete:
            return self._pending + rest
        self.close()
        return None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces; only pauses between them are limited from now on."""
        try:
            if self._pending:
                yield self._pending
            with translate_errors(self._progress):
                while chunk := await self._read_piece():
                    yield chunk
        finally:
            self.close()

    def close(self) -> None:
        """Close the response."""
        self._response.close()

    async def _read(self, limit: int) -> tuple[bytes, bool]:
        """Read up to about `limit` bytes; return them, and whether the body is complete."""
        response = self._response
        length = None if self._decoder is not None else response.content_length
        if length is not None and response.method != "HEAD" and length - len(self._pending) > limit:
            return b"", False
        content, has_coding = response.content, self._decoder is not None
        chunks: list[bytes] = []
        size = 0
        while size <= limit:
            chunk = await self._read_piece()
            if not chunk:
                return b"".join(chunks), True
            chunks.append(chunk)
            size += len(chunk)
            if not has_coding and size <= limit and content.at_eof():
                return chunks[0] if len(chunks) == 1 else b"".join(chunks), True
        return b"".join(chunks), False

    async def _read_piece(self) -> bytes:
        """Return the next decoded piece of the body, or nothing at its end."""
        content, decoder = self._response.content, self._decoder
        if decoder is None:
            return await content.readany()
        while True:
            if decoder.pending:
                if piece := await decoder.decode(_PIECE):
                    return piece
            elif chunk := await content.readany():
                decoder.feed(chunk)
            else:
                decoder.finish()
                return b""


class Upload(AsyncIterable[bytes]):
    """A streamed request body; suspends `timeout` while the next piece is awaited, then sets it to `seconds`."""

    def __init__(self, body: AsyncIterable[bytes], timeout: asyncio.Timeout, seconds: float) -> None:
        self._body = body
        self._timeout = timeout
        self._seconds = seconds
        self.error: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = aiter(self._body)
        try:
            while True:
                self._reschedule(None)
                piece = await anext(pieces, None)
                self._reschedule(asyncio.get_running_loop().time() + self._seconds)
                if piece is None:
                    return
                yield piece
        except Exception as error:
            self.error = error
            raise

    def _reschedule(self, when: float | None) -> None:
        # After an early response the timeout context is left, and must not be rescheduled.
        with suppress(RuntimeError):
            self._timeout.reschedule(when)
