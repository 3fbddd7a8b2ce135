"""Call a consumed API: one transport for each API, redirects, limits and errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from yarl import URL

from adapter_host import (
    AUTHORIZATION,
    Authorizer,
    BuildContext,
    Result,
    UpstreamCredential,
    UpstreamError,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamUnreachableError,
)

from .authenticated import Send, send_authenticated
from .cache_policy import MAX_BODY, READ_ONLY
from .config import HttpConfig
from .decoding import ResponseDecoding
from .formats import Format
from .formats.convert import Converter
from .formats.pool import ConversionPool
from .redirects import REDIRECTS, redirect_target
from .rejections import REJECTED, Rejections
from .request.request import Request
from .route import Route
from .transport.base import Limits, Response, Transport, TransportError
from .upstream_errors import upstream_error

if TYPE_CHECKING:
    from .cache.cached_call import CachedCall
    from .cache.http_cache import HttpCache

_LOG: Final = logging.getLogger("adapter_host.http")

MAX_REDIRECTS: Final = 5
STREAM_THRESHOLD: Final = 64 * 1024
"""Responses of at most so many bytes are never streamed."""


class Upstream:
    """A consumed API."""

    def __init__(
        self,
        context: BuildContext,
        config: HttpConfig,
        credential: UpstreamCredential | None = None,
        cache: HttpCache | None = None,
    ) -> None:
        settings = context.settings
        self._namespace = context.namespace
        self._response_limit = settings.response_limit
        self._connect_timeout = config.timeout.connect or settings.connect_timeout
        self._total_timeout = config.timeout.total or settings.total_timeout
        self._cache = cache
        self._rejections = None if credential is None else Rejections(context.namespace, credential)
        self._route = Route(config, context)
        timeouts = self._connect_timeout, self._total_timeout
        tls, proxy = self._route.tls, self._route.own_proxy
        self._authorizer = Authorizer(credential, context, *timeouts, tls=tls, proxy=proxy)
        self.base = ""
        self._path = ""
        self._transport: Transport | None = None
        self._pool = context.shared_state("adapter_host_http.conversions", lambda: ConversionPool(settings))
        converter = Converter(context.namespace, self._pool, settings.response_limit)
        self._decoding = ResponseDecoding(context.namespace, converter, settings.response_limit, self._total_timeout)

    async def open(self, base: str, *, direct: bool = False) -> None:
        """Prepare to call the API at `base`; `direct` bypasses any proxy."""
        self.base = base
        url = URL(base)
        self._path = url.raw_path.rstrip("/")
        limits = Limits(connect_timeout=self._connect_timeout, idle_timeout=self._total_timeout)
        self._origin, self._transport = self._route.open(base, limits, direct=direct)
        self._pool.open()
        await self._transport.open()
        self._authorizer.start(base, mock_url=base if direct else None)

    async def close(self) -> None:
        """Close all connections."""
        transport, self._transport = self._transport, None
        if self._cache is not None:
            await self._cache.close()
        await self._route.close()
        await self._authorizer.stop()
        if transport is not None:
            try:
                await transport.close()
            finally:
                await self._pool.close()

    async def call(
        self,
        method: str,
        request: Request,
        response_format: Format,
        *,
        stream: bool,
        max_size: int | None = None,
        cached: CachedCall | None = None,
    ) -> Result:
        """Send a request and return its response; read at most `max_size` bytes of a response that is not streamed.

        Raises `UpstreamError`.
        """
        conversion = response_format.conversion
        events = stream and conversion is None
        max_size = None if events else max_size or self._response_limit
        deadline = asyncio.get_running_loop().time() + self._total_timeout
        try:
            threshold = STREAM_THRESHOLD if cached is None else MAX_BODY
            buffer_limit = min(threshold, self._response_limit) if max_size is None else max_size
            response = await self._send(method, request, buffer_limit, deadline, events=events, cached=cached)
            try:
                result = await self._read(response, response_format, max_size)
            except BaseException:
                response.close()
                raise
        except (TimeoutError, TransportError) as error:
            raise self._upstream_error(error) from error
        return (
            result
            if conversion is None
            else await self._decoding.convert(result, response_format, conversion, deadline)
        )

    async def forward(self, method: str, request: Request, *, stream: bool) -> Result:
        """Pass a request through and return the response as received, whatever its status.

        Raises `UpstreamError`, and errors of reading the request body unchanged. The timeout of the API is suspended
        while the next piece of the body is awaited.
        """
        try:
            deadline = asyncio.get_running_loop().time() + self._total_timeout
            response = await self._send(method, request, 0 if stream else self._response_limit, deadline)
            body = response.body if stream or response.body is not None else await response.read(self._response_limit)
        except (TimeoutError, TransportError) as error:
            raise self._upstream_error(error) from error
        fields: dict[str, Any] = {
            "status": response.status,
            "media_type": response.media_type,
            "headers": response.headers,
        }
        if stream:
            chunks = self._chunks(response)
            await anext(chunks)
            return Result(**fields, stream=chunks)
        if body is None:
            raise self._too_large(self._response_limit)
        return Result(**fields, body=body)

    async def _send(
        self,
        method: str,
        request: Request,
        buffer_limit: int,
        deadline: float,
        *,
        events: bool = False,
        cached: CachedCall | None = None,
    ) -> Response:
        """Send a request and follow redirects."""
        transport, authorizer = self._transport, self._authorizer
        if transport is None:
            raise UpstreamUnreachableError(f"the upstream '{self._namespace}' is not open")
        if self._path or not request.target.startswith("/"):
            target = self._path + request.target
            request = request.with_target(target if target.startswith("/") else f"/{target}")
        flows = authorizer.flow is not None and AUTHORIZATION.lower() not in request.call_headers
        redirects_left = MAX_REDIRECTS if method in ("GET", "HEAD") and not request.pass_through else 0
        while True:
            if cached is not None:
                # Each redirect has a response of its own in the cache.
                sender = partial(_sender, transport, authorizer if flows else None, method, buffer_limit, events)
                url = f"{self._origin}{request.target}"
                response = await cached.respond(method, url, request, sender, buffer_limit, deadline)
            elif not flows:
                response = await transport.send(
                    method, request, deadline=deadline, buffer_limit=buffer_limit, events=events
                )
            else:
                send = partial(transport.send, method, deadline=deadline, buffer_limit=buffer_limit, events=events)
                response = await send_authenticated(authorizer, send, method, request, deadline=deadline)
            redirect = (
                redirect_target(self._origin, request.target, response)
                if redirects_left and response.status in REDIRECTS
                else None
            )
            if redirect is None:
                if self._rejections is not None and response.status in REJECTED:
                    self._rejections.report(response.status, request)
                if self._cache is not None and method not in READ_ONLY:
                    await self._cache.invalidate(f"{self._origin}{request.target}", response)
                return response
            response.close()
            request = request.with_target(redirect)
            redirects_left -= 1

    async def _read(self, response: Response, response_format: Format, max_size: int | None) -> Result:
        headers, body, media_type = response.headers, response.body, response.media_type
        if response.status >= 300:
            body = await response.read(self._response_limit) if body is None else body
            error = UpstreamStatusError(response.status, body or b"", media_type, headers)
            error.cached = response.cached
            raise error
        media_type = media_type or response_format.media_type
        if (body is None and max_size is None) or response.is_event_stream:
            chunks = self._chunks(response)
            await anext(chunks)
            result = Result(
                status=response.status,
                media_type=media_type,
                headers=headers,
                decode=self._decoding.decoder(response_format, media_type),
                stream=chunks,
                hold=partial(self._hold, response),
            )
            result.cached = response.cached
            return result
        if body is None:
            body = await response.read(max_size or 0)
        if body is None:
            raise self._too_large(max_size or 0)
        decode = self._decoding.decoder(response_format, media_type)
        result = Result(status=response.status, media_type=media_type, body=body, headers=headers, decode=decode)
        result.cached = response.cached
        return result

    async def _hold(self, response: Response, limit: int) -> bytes:
        """Read a response that could be streamed, within the timeout of the call."""
        try:
            body = await response.read(limit) if response.body is None else response.body
        except (TimeoutError, TransportError) as error:
            raise self._upstream_error(error) from error
        if body is None:
            raise self._too_large(limit)
        return body

    async def _chunks(self, response: Response) -> AsyncIterator[bytes]:
        try:
            # The caller advances to this point at once, so that closing an unread stream closes the response, too.
            yield b""
            if response.body is not None:
                yield response.body
                return
            async for chunk in response.chunks():
                yield chunk
        except (TimeoutError, TransportError) as error:
            raise self._upstream_error(error) from error
        finally:
            response.close()

    @staticmethod
    def _too_large(limit: int) -> UpstreamInvalidError:
        return UpstreamInvalidError(f"the response of the upstream is larger than {limit} bytes")

    def _upstream_error(self, error: TimeoutError | TransportError) -> UpstreamError:
        _LOG.warning("upstream '%s': %s", self._namespace, str(error) or type(error).__name__)
        return upstream_error(
            error, self._namespace, self._connect_timeout, self._total_timeout, self._route.proxy_label
        )


def _sender(
    transport: Transport,
    authorizer: Authorizer | None,
    method: str,
    buffer_limit: int,
    events: bool,
    deadline: float,
) -> Send:
    """Return the function that sends a request before a deadline."""
    send: Send = partial(transport.send, method, deadline=deadline, buffer_limit=buffer_limit, events=events)
    return send if authorizer is None else partial(send_authenticated, authorizer, send, method, deadline=deadline)
