"""The wire: one session per consumed API, redirects, limits, and what can go wrong."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from contextlib import suppress
from dataclasses import replace
from typing import Final

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from adapter_host import (
    Provision,
    Result,
    Settings,
    UpstreamError,
    UpstreamInvalid,
    UpstreamStatus,
    UpstreamTimeout,
    UpstreamUnreachable,
)

from .config import Timeouts
from .conversion import converted
from .credential import AUTHORIZATION, Handshake, Wire
from .formats import Convert, Format, FormatError
from .request import Request

_LOG: Final = logging.getLogger("adapter_host.http")

CONNECTIONS: Final = 100
MAX_REDIRECTS: Final = 5
HELD: Final = 64 * 1024
"""An answer of at most so many bytes is never streamed."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_ENCODED: Final = re.compile(r"[!-~]+")
_MEDIA_TYPE: Final = re.compile(r"[\w.+/-]{1,80}")


class Upload(AsyncIterable[bytes]):
    """A body on its way; `timeout` runs only while it is the API that keeps us waiting, `seconds` from then on."""

    def __init__(self, body: AsyncIterable[bytes], timeout: asyncio.Timeout, seconds: float) -> None:
        self._body = body
        self._timeout = timeout
        self._seconds = seconds
        self.error: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = aiter(self._body)
        try:
            while True:
                self._stop_at(None)
                chunk = await anext(chunks, None)
                self._stop_at(asyncio.get_running_loop().time() + self._seconds)
                if chunk is None:
                    return
                yield chunk
        except Exception as error:
            self.error = error
            raise

    def _stop_at(self, when: float | None) -> None:
        # The API may answer before it has read everything; there is nothing to wait for then.
        with suppress(RuntimeError):
            self._timeout.reschedule(when)


class Upstream:
    """One consumed API on the wire."""

    def __init__(self, provision: Provision, timeouts: Timeouts, handshake: Handshake | None = None) -> None:
        settings = provision.settings
        self._namespace = provision.namespace
        self._settings = settings
        self._limit = settings.answer_limit
        self._connect = timeouts.connect or settings.connect_timeout
        self._total = timeouts.total or settings.total_timeout
        self._handshake = handshake
        self.base = ""
        self._proxy: str | None = None
        self._session: aiohttp.ClientSession | None = None

    async def open(self, base: str, *, direct: bool = False) -> None:
        """Be ready to call the API at `base`; `direct` goes past any proxy."""
        self.base = base
        self._proxy = None if direct else proxy_of(URL(base), self._settings)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Content-Type",),
            # A stream may last; only a pause in it counts.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect, sock_read=self._total),
        )
        if self._handshake is not None:
            settings = self._settings
            stand_in = base if direct else None
            proxy = (lambda url: None) if direct else (lambda url: proxy_of(url, settings))
            self._handshake.open(Wire(self._session, proxy, self._total, stand_in))

    async def close(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        if self._handshake is not None:
            await self._handshake.close()
        if session is not None:
            await session.close()

    async def call(
        self, method: str, request: Request, format: Format, *, stream: bool, most: int | None = None
    ) -> Result:
        """Send a request and read its answer, if it is not a stream up to `most` bytes; raises `UpstreamError`."""
        try:
            async with asyncio.timeout(self._total):
                response = await self._send(method, request)
                try:
                    return await self._read(response, format, None if stream else most or self._limit)
                except BaseException:
                    response.close()
                    raise
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise self._failure(error) from error

    async def forward(self, method: str, request: Request, *, stream: bool) -> Result:
        """Pass a request on, and give its answer as it comes, whatever its status; raises `UpstreamError`.

        What reading the request's body raises is raised as it is. While that keeps us waiting, the API's time stops.
        """
        body = None
        try:
            async with asyncio.timeout(self._total) as timeout:
                if isinstance(request.body, AsyncIterable):
                    body = Upload(request.body, timeout, self._total)
                    request = replace(request, body=body)
                response = await self._send(method, request)
            return await self._passed(response, stream=stream)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            if body is not None and body.error is not None:
                raise body.error from None
            raise self._failure(error) from error

    async def _passed(self, response: aiohttp.ClientResponse, *, stream: bool) -> Result:
        headers = response.headers
        media_type = headers.get("Content-Type", "")
        if stream:
            chunks = self._chunks(response, b"")
            await anext(chunks)
            return Result(status=response.status, media_type=media_type, headers=headers, stream=chunks)
        try:
            body, complete = await _take(response, self._limit)
        finally:
            response.close()
        if not complete:
            raise self._too_large(self._limit)
        return Result(status=response.status, media_type=media_type, headers=headers, body=body)

    async def _send(self, method: str, request: Request) -> aiohttp.ClientResponse:
        url = URL(self.base + request.target, encoded=True)
        left = MAX_REDIRECTS if method in ("GET", "HEAD") and not request.as_is else 0
        handshake = self._handshake
        if handshake is not None and AUTHORIZATION in request.headers:
            handshake = None
        while True:
            if handshake is None:
                response = await self._exchange(method, url, request.headers, request)
            else:
                response = await self._proven(handshake, method, url, request)
            target = _redirect(response) if left and response.status in _REDIRECTS else None
            if target is None:
                return response
            response.release()
            url, left = target, left - 1

    def _exchange(
        self, method: str, url: URL, headers: CIMultiDict[str], request: Request
    ) -> Awaitable[aiohttp.ClientResponse]:
        if self._session is None:
            raise UpstreamUnreachable(f"the upstream '{self._namespace}' is not open")
        return self._session.request(
            method,
            url,
            headers=headers,
            data=request.body,
            allow_redirects=False,
            auto_decompress=not request.as_is,
            proxy=self._proxy,
        )

    async def _proven(self, handshake: Handshake, method: str, url: URL, request: Request) -> aiohttp.ClientResponse:
        """The answer to a request with what the handshake gives; sent once more where that is refused."""
        target = url.raw_path_qs
        proof = await handshake.header(method, target)
        response = await self._exchange(method, url, _with(request.headers, proof), request)
        if response.status != 401:
            return response
        try:
            proof = await handshake.again(method, target, proof, response.headers.getall("WWW-Authenticate", ()))
        except BaseException:
            response.close()
            raise
        if proof is None:
            return response
        response.release()
        return await self._exchange(method, url, _with(request.headers, proof), request)

    async def _read(self, response: aiohttp.ClientResponse, format: Format, most: int | None) -> Result:
        headers = response.headers
        media_type = headers.get("Content-Type", "")
        if response.status >= 300:
            body, complete = await _take(response, self._limit)
            if not complete:
                response.close()
            raise UpstreamStatus(response.status, body if complete else b"", media_type, headers)
        if most is None and format.convert is not None:
            most = self._limit
        body, complete = await _take(response, HELD if most is None else most)
        if not complete and most is not None:
            raise self._too_large(most)
        media_type = media_type or format.media_type
        if not complete:
            chunks = self._chunks(response, body)
            await anext(chunks)
            return Result(
                status=response.status, media_type=media_type, headers=headers, decode=format.decode, stream=chunks
            )
        result = Result(status=response.status, media_type=media_type, body=body, headers=headers, decode=format.decode)
        if format.convert is not None:
            return await self._converted(result, format, format.convert)
        if format.checked:
            self._check(result, format)
        return result

    def _check(self, result: Result, format: Format) -> None:
        try:
            _ = result.data
        except UpstreamInvalid as error:
            raise self._not(format, result, error) from None

    async def _converted(self, result: Result, format: Format, convert: Convert) -> Result:
        try:
            return await converted(result, format, convert)
        except ValueError as error:
            raise self._not(format, result, error) from None

    def _not(self, format: Format, result: Result, error: Exception) -> UpstreamInvalid:
        named = _MEDIA_TYPE.match(result.media_type)
        # Other errors may quote what was sent.
        reason = f"; {error}" if isinstance(error, FormatError) else ""
        sent = f"it sent {named[0] if named else '?'}{reason}"
        return UpstreamInvalid(f"the upstream '{self._namespace}' did not answer {format.kind.title} ({sent})")

    async def _chunks(self, response: aiohttp.ClientResponse, head: bytes) -> AsyncIterator[bytes]:
        try:
            # Taken at once, so that closing the stream unread ends the answer too.
            yield b""
            if head:
                yield head
            async for chunk in response.content.iter_any():
                yield chunk
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise self._failure(error) from error
        finally:
            response.close()

    @staticmethod
    def _too_large(limit: int) -> UpstreamInvalid:
        return UpstreamInvalid(f"the upstream's answer is larger than {limit} bytes")

    def _failure(self, error: Exception) -> UpstreamError:
        _LOG.warning("upstream '%s': %s", self._namespace, _named(error))
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return UpstreamTimeout(f"the upstream '{self._namespace}' took no connection within {self._connect:g} s")
        if isinstance(error, TimeoutError):
            return UpstreamTimeout(f"the upstream '{self._namespace}' did not answer within {self._total:g} s")
        if isinstance(error, aiohttp.ClientResponseError):
            return UpstreamInvalid(f"the upstream '{self._namespace}' did not answer in HTTP")
        return UpstreamUnreachable(f"the upstream '{self._namespace}' cannot be reached")


def proxy_of(base: URL, settings: Settings) -> str | None:
    """The proxy that the environment names for a base, if any (`https_proxy`, `no_proxy`)."""
    environment = settings.environment
    proxy, excluded = (
        environment.get(name) or environment.get(name.upper()) for name in (f"{base.scheme}_proxy", "no_proxy")
    )
    return proxy if proxy and not _is_excluded(base, excluded or "") else None


def _is_excluded(base: URL, excluded: str) -> bool:
    host = base.raw_host or ""
    names = [name.strip().lstrip(".").lower() for name in excluded.split(",") if name.strip()]
    return "*" in names or any(name in (host, f"{host}:{base.port}") or host.endswith(f".{name}") for name in names)


def _named(error: Exception) -> str:
    # Only these say nothing of the URL, whose query may hold a secret.
    telling = isinstance(error, aiohttp.ClientConnectorError)
    return f"{type(error).__name__}: {error}" if telling else type(error).__name__


def _with(headers: CIMultiDict[str], proof: str | None) -> CIMultiDict[str]:
    if proof is None:
        return headers
    proven = headers.copy()
    proven[AUTHORIZATION] = proof
    return proven


def _redirect(response: aiohttp.ClientResponse) -> URL | None:
    """Where a redirect within the same origin leads."""
    here = response.url
    location = response.headers.get("Location", "").partition("#")[0]
    with suppress(ValueError):
        there = here.join(URL(location, encoded=_ENCODED.fullmatch(location) is not None))
        if location and _origin(there) == _origin(here):
            return there
    return None


def _origin(url: URL) -> tuple[object, ...]:
    return url.scheme, url.raw_user, url.raw_password, (url.raw_host or "").lower(), url.port


async def _take(response: aiohttp.ClientResponse, limit: int) -> tuple[bytes, bool]:
    """The body, and whether that is all of it: reading stops beyond `limit`."""
    length = None if "Content-Encoding" in response.headers else response.content_length
    if length is not None and response.method != "HEAD":
        return (await response.read(), True) if length <= limit else (b"", False)
    chunks: list[bytes] = []
    size = 0
    while size <= limit:
        chunk = await response.content.readany()
        if not chunk:
            return b"".join(chunks), True
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks), False
