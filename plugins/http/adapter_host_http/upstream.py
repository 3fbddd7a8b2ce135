"""The wire: one session per consumed API, redirects, limits, and what can go wrong."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from yarl import URL

from adapter_host import (
    BuildContext,
    Result,
    Settings,
    UpstreamError,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)

from .config import HttpConfig
from .credential import AUTHORIZATION, AuthFlow, AuthTransport
from .formats import Convert, Format, FormatError
from .formats.convert import converted
from .request.request import Request
from .transport.base import (
    ConnectTimeoutError,
    Limits,
    MalformedResponseError,
    Origin,
    Response,
    Transport,
    TransportError,
)

if TYPE_CHECKING:
    import aiohttp

_LOG: Final = logging.getLogger("adapter_host.http")

MAX_REDIRECTS: Final = 5
HELD: Final = 64 * 1024
"""An answer of at most so many bytes is never streamed."""

Send = Callable[[Request], Awaitable[Response]]

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_ENCODED: Final = re.compile(r"[!-~]+")
_MEDIA_TYPE: Final = re.compile(r"[\w.+/-]{1,80}")


class Upstream:
    """One consumed API on the wire."""

    def __init__(self, context: BuildContext, config: HttpConfig, auth_flow: AuthFlow | None = None) -> None:
        settings = context.settings
        self._namespace = context.namespace
        self._settings = settings
        self._limit = settings.response_limit
        self._connect = config.timeout.connect or settings.connect_timeout
        self._total = config.timeout.total or settings.total_timeout
        self._lean = config.transport == "lean"
        self._handshake = auth_flow
        self.base = ""
        self._path = ""
        self._transport: Transport | None = None
        self._session: aiohttp.ClientSession | None = None

    async def open(self, base: str, *, direct: bool = False) -> None:
        """Be ready to call the API at `base`; `direct` goes past any proxy."""
        self.base = base
        url = URL(base)
        self._path = url.raw_path.rstrip("/")
        self._origin = origin_of(base)
        limits = Limits(connect=self._connect, idle=self._total)
        proxy = None if direct else proxy_of(url, self._settings)
        self._transport = self._make_transport(limits, proxy)
        await self._transport.open()
        if self._handshake is not None:
            self._open_handshake(self._handshake, limits, direct=direct)

    def _make_transport(self, limits: Limits, proxy: str | None) -> Transport:
        # Imported here, as `validate` needs neither, and who calls most often one.
        if self._lean and proxy is None:
            from .transport.native import NativeTransport

            return NativeTransport(self._origin, limits)
        from .transport.aiohttp import AiohttpTransport

        return AiohttpTransport(self._origin, limits, proxy)

    async def close(self) -> None:
        """Close every connection."""
        transport, self._transport = self._transport, None
        session, self._session = self._session, None
        if self._handshake is not None:
            await self._handshake.close()
        if session is not None:
            await session.close()
        if transport is not None:
            await transport.close()

    async def call(
        self, method: str, request: Request, raw_format: Format, *, stream: bool, most: int | None = None
    ) -> Result:
        """Send a request and read its answer, if it is not a stream up to `most` bytes; raises `UpstreamError`."""
        most = None if stream and raw_format.convert is None else most or self._limit
        try:
            answer = await self._send(method, request, HELD if most is None else most)
            try:
                return await self._read(answer, raw_format, most)
            except BaseException:
                answer.close()
                raise
        except (TimeoutError, TransportError) as error:
            raise self._failure(error) from error

    async def forward(self, method: str, request: Request, *, stream: bool) -> Result:
        """Pass a request on, and give its answer as it comes, whatever its status; raises `UpstreamError`.

        What reading the request's body raises is raised as it is. While that keeps us waiting, the API's time stops.
        """
        try:
            answer = await self._send(method, request, 0 if stream else self._limit)
            body = answer.body if stream or answer.body is not None else await answer.take(self._limit)
        except (TimeoutError, TransportError) as error:
            raise self._failure(error) from error
        given: dict[str, Any] = {"status": answer.status, "media_type": answer.media_type, "headers": answer.headers}
        if stream:
            chunks = self._chunks(answer)
            await anext(chunks)
            return Result(**given, stream=chunks)
        if body is None:
            raise self._too_large(self._limit)
        return Result(**given, body=body)

    def _open_handshake(self, auth_flow: AuthFlow, limits: Limits, *, direct: bool) -> None:
        settings = self._settings
        proxy = (lambda url: None) if direct else (lambda url: proxy_of(url, settings))
        from .transport.aiohttp import open_session

        self._session = open_session(self._origin, limits)
        auth_flow.open(AuthTransport(self._session, proxy, self._total, self.base if direct else None))

    async def _send(self, method: str, request: Request, held: int) -> Response:
        """Return the answer, redirects followed."""
        transport, auth_flow = self._transport, self._handshake
        if transport is None:
            raise UpstreamUnreachableError(f"the upstream '{self._namespace}' is not open")
        target = self._path + request.target
        request = request.at(target if target.startswith("/") else f"/{target}")
        deadline = asyncio.get_running_loop().time() + self._total
        send = partial(transport.send, method, deadline=deadline, held=held)
        if auth_flow is not None and AUTHORIZATION.lower() in request.own:
            auth_flow = None
        left = MAX_REDIRECTS if method in ("GET", "HEAD") and not request.as_is else 0
        while True:
            if auth_flow is None:
                answer = await send(request)
            else:
                answer = await _proven(auth_flow, send, method, request, deadline=deadline)
            found = self._redirected(request.target, answer) if left and answer.status in _REDIRECTS else None
            if found is None:
                return answer
            answer.close()
            request = request.at(found)
            left -= 1

    async def _read(self, answer: Response, raw_format: Format, most: int | None) -> Result:
        headers, body, media_type = answer.headers, answer.body, answer.media_type
        if answer.status >= 300:
            body = await answer.take(self._limit) if body is None else body
            raise UpstreamStatusError(answer.status, body or b"", media_type, headers)
        media_type = media_type or raw_format.media_type
        if body is None and most is None:
            chunks = self._chunks(answer)
            await anext(chunks)
            return Result(
                status=answer.status, media_type=media_type, headers=headers, decode=raw_format.decode, stream=chunks
            )
        if body is None:
            body = await answer.take(most or 0)
        if body is None:
            raise self._too_large(most or 0)
        result = Result(
            status=answer.status, media_type=media_type, body=body, headers=headers, decode=raw_format.decode
        )
        if raw_format.convert is not None:
            return await self._converted(result, raw_format, raw_format.convert)
        if raw_format.checked:
            self._check(result, raw_format)
        return result

    def _check(self, result: Result, raw_format: Format) -> None:
        try:
            _ = result.data
        except UpstreamInvalidError as error:
            raise self._not(raw_format, result, error) from None

    async def _converted(self, result: Result, raw_format: Format, convert: Convert) -> Result:
        try:
            return await converted(result, raw_format, convert)
        except ValueError as error:
            raise self._not(raw_format, result, error) from None

    def _not(self, raw_format: Format, result: Result, error: Exception) -> UpstreamInvalidError:
        named = _MEDIA_TYPE.match(result.media_type)
        # Other errors may quote what was sent.
        reason = f"; {error}" if isinstance(error, FormatError) else ""
        sent = f"it sent {named[0] if named else '?'}{reason}"
        return UpstreamInvalidError(f"the upstream '{self._namespace}' did not answer {raw_format.kind.title} ({sent})")

    async def _chunks(self, answer: Response) -> AsyncIterator[bytes]:
        try:
            # Taken at once, so that closing the stream unread ends the answer too.
            yield b""
            async for chunk in answer.chunks():
                yield chunk
        except (TimeoutError, TransportError) as error:
            raise self._failure(error) from error
        finally:
            answer.close()

    def _redirected(self, target: str, answer: Response) -> str | None:
        """Return the target of a redirect within the same origin."""
        here = URL(f"{self._origin}{target}", encoded=True)
        location = answer.headers.get("Location", "").partition("#")[0]
        with suppress(ValueError):
            there = here.join(URL(location, encoded=_ENCODED.fullmatch(location) is not None))
            if location and _same_origin(there, here):
                return there.raw_path_qs
        return None

    @staticmethod
    def _too_large(limit: int) -> UpstreamInvalidError:
        return UpstreamInvalidError(f"the upstream's answer is larger than {limit} bytes")

    def _failure(self, error: Exception) -> UpstreamError:
        name = self._namespace
        _LOG.warning("upstream '%s': %s", name, str(error) or type(error).__name__)
        if isinstance(error, ConnectTimeoutError):
            return UpstreamTimeoutError(f"the upstream '{name}' took no connection within {self._connect:g} s")
        if isinstance(error, TimeoutError):
            return UpstreamTimeoutError(f"the upstream '{name}' did not answer within {self._total:g} s")
        if isinstance(error, MalformedResponseError):
            return UpstreamInvalidError(f"the upstream '{name}' did not answer in HTTP")
        return UpstreamUnreachableError(f"the upstream '{name}' cannot be reached")


def origin_of(base: str) -> Origin:
    """Return the origin of a base; the environment's certificate authorities (`SSL_CERT_FILE`) are read with it."""
    url = URL(base)
    context = None
    if url.scheme == "https":
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
    port = url.port or (80 if context is None else 443)
    return Origin(url.scheme, url.raw_host or "", port, url.host_port_subcomponent or "", context)


def proxy_of(base: URL, settings: Settings) -> str | None:
    """Return the proxy that the environment names for a base, if any (`https_proxy`, `no_proxy`)."""
    environment = settings.environment
    proxy, excluded = (
        environment.get(name) or environment.get(name.upper()) for name in (f"{base.scheme}_proxy", "no_proxy")
    )
    return proxy if proxy and not _is_excluded(base, excluded or "") else None


def _is_excluded(base: URL, excluded: str) -> bool:
    host = base.raw_host or ""
    names = [name.strip().lstrip(".").lower() for name in excluded.split(",") if name.strip()]
    return "*" in names or any(name in (host, f"{host}:{base.port}") or host.endswith(f".{name}") for name in names)


async def _proven(auth_flow: AuthFlow, send: Send, method: str, request: Request, *, deadline: float) -> Response:
    """Return the answer to a request with what the handshake gives; sent once more where that is refused."""
    async with asyncio.timeout_at(deadline):
        proof = await auth_flow.header(method, request.target)
    answer = await send(_with(request, proof))
    if answer.status != 401 or not request.repeatable:
        return answer
    try:
        challenges = answer.headers.getall("WWW-Authenticate", ())
        async with asyncio.timeout_at(deadline):
            proof = await auth_flow.again(method, request.target, proof, challenges)
    except BaseException:
        answer.close()
        raise
    if proof is None:
        return answer
    answer.close()
    return await send(_with(request, proof))


def _with(request: Request, proof: str | None) -> Request:
    return request if proof is None else request.having(AUTHORIZATION, proof)


def _same_origin(there: URL, here: URL) -> bool:
    return _site(there) == _site(here)


def _site(url: URL) -> tuple[object, ...]:
    return url.scheme, url.raw_user, url.raw_password, (url.raw_host or "").lower(), url.port
