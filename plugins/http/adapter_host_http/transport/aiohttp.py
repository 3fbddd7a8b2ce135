"""The transport that is aiohttp's client; it goes through proxies too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import Final

import aiohttp
from aiohttp.http import HttpProcessingError, HttpVersion10, HttpVersion11
from aiohttp.http_exceptions import ContentEncodingError
from yarl import URL

from adapter_host_http.request.request import CODINGS, Payload, Request

from .base import ConnectTimeoutError, Limits, MalformedResponseError, Origin, Response, Transport, TransportError

_AT_ONCE: Final = 2**20
"""aiohttp wants a larger body as a file, to send it piece by piece."""


def open_session(origin: Origin, limits: Limits) -> aiohttp.ClientSession:
    """Return a session that keeps no cookies, and adds no headers but the connection's."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=limits.connections, ssl=origin.context or True),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("Content-Type",),
        # A stream may last; only a pause in it counts.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=limits.connect, sock_read=limits.idle),
    )


class AiohttpTransport(Transport):
    """Sends requests with a session of aiohttp, through a `proxy` where one is given."""

    def __init__(self, origin: Origin, limits: Limits, proxy: str | None = None) -> None:
        self._origin = origin
        self._limits = limits
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Be ready to send; nothing is opened yet."""
        self._session = open_session(self._origin, self._limits)

    async def close(self) -> None:
        """End every connection; calls that are in progress fail."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, method: str, request: Request, *, deadline: float, held: int) -> Response:
        """Send a request, and wait for the head of its answer and for as much of the body as is held."""
        if self._session is None:
            raise TransportError("the transport is not open")
        upload: Upload | None = None
        try:
            with _translated():
                async with asyncio.timeout_at(deadline) as timeout:
                    body = request.body
                    if body is not None and not isinstance(body, bytes):
                        body = upload = Upload(body, timeout, self._limits.idle)
                    response = await self._request(self._session, method, request, body)
                    until = timeout.when() or asyncio.get_running_loop().time() + self._limits.idle
                    return await _held(AiohttpResponse(response, until), held)
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
        if request.prepared.codings:
            headers["Accept-Encoding"] = CODINGS
        response = await session.request(
            method,
            URL(f"{self._origin}{request.target}", encoded=True),
            headers=headers,
            data=BytesIO(body) if isinstance(body, bytes) and len(body) > _AT_ONCE else body,
            allow_redirects=False,
            auto_decompress=not request.as_is,
            proxy=self._proxy,
        )
        if not 200 <= response.status <= 599 or response.version not in (HttpVersion10, HttpVersion11):
            response.close()
            raise MalformedResponseError("an answer of another protocol")
        return response


class AiohttpResponse(Response):
    """A response of aiohttp."""

    __slots__ = ("_deadline", "_ready", "_response")

    def __init__(self, response: aiohttp.ClientResponse, deadline: float) -> None:
        self.status = response.status
        self.headers = response.headers
        self.media_type = response.headers.get("Content-Type", "")
        self.body: bytes | None = None
        self._response = response
        self._deadline = deadline
        self._ready = b""

    async def hold(self, limit: int) -> None:
        """Make `body` of what comes, unless that is more than `limit` bytes."""
        read, complete = await self._read(limit)
        if complete:
            self.body = read
        else:
            self._ready = read

    async def take(self, limit: int) -> bytes | None:
        """All of the body before the deadline; None, and closed, when it is larger than `limit` bytes."""
        try:
            with _translated():
                async with asyncio.timeout_at(self._deadline):
                    rest, complete = await self._read(limit - len(self._ready))
        except BaseException:
            self.close()
            raise
        if complete:
            return self._ready + rest
        self.close()
        return None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes; from now on it has no deadline, only pauses are bounded."""
        try:
            if self._ready:
                yield self._ready
            with _translated():
                async for chunk in self._response.content.iter_any():
                    yield chunk
        finally:
            self.close()

    def close(self) -> None:
        """Be done with it."""
        self._response.close()

    async def _read(self, limit: int) -> tuple[bytes, bool]:
        """Return the bytes read, at most about `limit`, and whether they are all of the body."""
        response = self._response
        length = None if "Content-Encoding" in response.headers else response.content_length
        if length is not None and response.method != "HEAD" and length - len(self._ready) > limit:
            return b"", False
        chunks: list[bytes] = []
        size = 0
        while size <= limit:
            chunk = await response.content.readany()
            if not chunk:
                return b"".join(chunks), True
            chunks.append(chunk)
            size += len(chunk)
        return b"".join(chunks), False


class Upload(AsyncIterable[bytes]):
    """A body on its way; `timeout` runs only while it is the origin that keeps us waiting, `seconds` from then on."""

    def __init__(self, body: AsyncIterable[bytes], timeout: asyncio.Timeout, seconds: float) -> None:
        self._body = body
        self._timeout = timeout
        self._seconds = seconds
        self.error: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = aiter(self._body)
        try:
            while True:
                self._stop_at(None)
                piece = await anext(pieces, None)
                self._stop_at(asyncio.get_running_loop().time() + self._seconds)
                if piece is None:
                    return
                yield piece
        except Exception as error:
            self.error = error
            raise

    def _stop_at(self, when: float | None) -> None:
        # The origin may answer before it has read everything; there is nothing to wait for then.
        with suppress(RuntimeError):
            self._timeout.reschedule(when)


async def _held(answer: AiohttpResponse, held: int) -> AiohttpResponse:
    if held:
        try:
            await answer.hold(held)
        except BaseException:
            answer.close()
            raise
    return answer


@contextmanager
def _translated() -> Iterator[None]:
    """Return the transport's error for one that aiohttp raised, without details of the request."""
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise ConnectTimeoutError("no connection in time") from error
    except TimeoutError:
        raise
    except aiohttp.ClientConnectorError as error:
        raise TransportError(f"{type(error).__name__}: {error}") from error
    except (aiohttp.ClientResponseError, HttpProcessingError) as error:
        raise MalformedResponseError(type(error).__name__) from error
    except aiohttp.ClientPayloadError as error:
        malformed = isinstance(error.__cause__, ContentEncodingError)
        raise (MalformedResponseError if malformed else TransportError)(type(error).__name__) from error
    except (aiohttp.ClientError, OSError) as error:
        raise TransportError(type(error).__name__) from error
