"""Streamable HTTP: the SDK's transport, over connections with the limits of the host."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import httpx2
import orjson
from mcp.client import Transport
from mcp.client.streamable_http import streamable_http_client

from adapter_host import (
    Authorizer,
    ClientProxy,
    ClientTls,
    ClientTunnel,
    HeaderWriter,
    RejectionLog,
    UpstreamCredential,
    UpstreamDisconnectedError,
    UpstreamError,
    UpstreamIncompleteError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
    bare_media_type,
    client_tls_context,
    read_at_most,
)

from .failures import copy_error, is_protocol_error, too_large

_INCOMPLETE: Final = "the MCP server closed the connection within the response"
_CONNECTIONS: Final = 100
_SESSION: Final = "mcp-session-id"
_JSON: Final = "application/json"
FAILED: Final = -32099
"""The code of the messages in the place of HTTP failures; the SDK would end the connection of all calls for some."""


FAILURES: Final[ContextVar[list[UpstreamError]]] = ContextVar("adapter_host_mcp_client_failures")
"""The failures of the HTTP requests of one call, which the SDK sends in the context of the caller."""


def _failed_response(error: UpstreamError, request_id: object) -> httpx2.Response:
    """Note a failure, and return a response that leads the SDK to the caller of the request."""
    _note(error)
    members = {"code": FAILED, "message": "the HTTP request failed"}
    content = orjson.dumps({"jsonrpc": "2.0", "id": request_id, "error": members})
    return httpx2.Response(502, headers={"Content-Type": _JSON}, content=content)


def _note(error: UpstreamError) -> None:
    if (failures := FAILURES.get(None)) is not None:
        failures.append(error)


@dataclass(frozen=True, slots=True)
class HttpEndpoint:
    """An MCP endpoint, and how it is called. `response_limit` is in bytes, the timeouts in seconds."""

    url: str
    authorizer: Authorizer
    header_writers: tuple[HeaderWriter, ...]
    response_limit: int
    connect_timeout: float
    total_timeout: float
    tls: ClientTls | None = None
    proxy: ClientProxy | None = None
    rejections: RejectionLog | None = None

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[object]:
        headers = {"User-Agent": "adapter-host", "Accept-Encoding": "identity"}
        client = httpx2.AsyncClient(
            headers=headers,
            transport=_LimitedTransport(self),
            # The total timeout is that of the call.
            timeout=httpx2.Timeout(None, connect=self.connect_timeout),
            trust_env=False,
        )
        async with (
            client,
            streamable_http_client(self.url, http_client=client, max_sse_event_size=self.response_limit) as streams,
        ):
            yield streams

    def open(self) -> Transport:
        """Return the transport of a new connection."""
        return self._open()  # type: ignore[return-value]


def _transport(
    context: ssl.SSLContext, proxy: ClientProxy | None, tunnel: ClientTunnel | None
) -> httpx2.AsyncHTTPTransport:
    limits = httpx2.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
    way: httpx2.Proxy | None = None
    if proxy is not None and tunnel is None:
        way = httpx2.Proxy(str(proxy.url), ssl_context=client_tls_context() if proxy.url.scheme == "https" else None)
    path = None if tunnel is None else tunnel.path
    return httpx2.AsyncHTTPTransport(verify=context, limits=limits, trust_env=False, proxy=way, uds=path)


def _tunnel(endpoint: HttpEndpoint) -> ClientTunnel | None:
    """Return the tunnel of a SOCKS proxy, which httpx cannot use without another library."""
    if endpoint.proxy is None or not endpoint.proxy.is_socks:
        return None
    url = httpx2.URL(endpoint.url)
    port = url.port or (443 if url.scheme == "https" else 80)
    tunnel = ClientTunnel(endpoint.proxy, url.host, port, endpoint.connect_timeout)
    tunnel.start()
    return tunnel


class _LimitedTransport(httpx2.AsyncBaseTransport):
    """Sends requests, and bounds their responses; a failure becomes the response to its own request only."""

    def __init__(self, endpoint: HttpEndpoint) -> None:
        self._endpoint = endpoint
        self._origin = _origin(httpx2.URL(endpoint.url))
        self._context = client_tls_context() if endpoint.tls is None else endpoint.tls.current.context
        self._tunnel = _tunnel(endpoint)
        self._inner = self._new()
        self._former: httpx2.AsyncHTTPTransport | None = None
        self._has_sent = False
        self._refusal: UpstreamError | None = None

    def _new(self) -> httpx2.AsyncHTTPTransport:
        return _transport(self._context, self._endpoint.proxy, self._tunnel)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        for write in self._endpoint.header_writers:
            write(request.headers)
        if self._endpoint.tls is not None:
            await self._use(self._endpoint.tls, request)
        if request.method != "POST":
            try:
                return await self._authorized(request)
            except UpstreamError as error:
                # The SDK expects failures of its client.
                raise httpx2.ConnectError(error.message, request=request) from error
        try:
            return await self._send(request)
        except UpstreamError as error:
            message = orjson.loads(await request.aread())
            return _failed_response(error, message.get("id"))

    async def _use(self, tls: ClientTls, request: httpx2.Request) -> None:
        """Use the current files for new connections; those before the last change are closed."""
        if tls.server_name is not None:
            request.extensions = {**request.extensions, "sni_hostname": tls.server_name}
        context = tls.current.context
        if context is not self._context:
            self._context = context
            former, self._former, self._inner = self._former, self._inner, self._new()
            if former is not None:
                await former.aclose()

    async def _authorized(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request with the credential; after a 401, once more with another value, if there is one."""
        authorizer = self._endpoint.authorizer
        credential = authorizer.credential
        if credential is None or _origin(request.url) != self._origin:
            return await self._inner.handle_async_request(request)
        deadline = asyncio.get_running_loop().time() + self._endpoint.total_timeout
        method, target = request.method, request.url.raw_path.decode()
        if self._refusal is not None:
            raise copy_error(self._refusal)
        try:
            value = await authorizer.value(deadline, method=method, target=target)
        except UpstreamError as error:
            # The other requests of the handshake would wait for the authorization server again.
            self._refusal = None if self._has_sent else error
            raise
        self._has_sent = True
        response = await self._inner.handle_async_request(_with_credential(request, credential, value))
        if response.status_code != 401:
            return response
        challenges = response.headers.get_list("WWW-Authenticate")
        try:
            value = await authorizer.value_after(value, deadline, challenges=challenges, method=method, target=target)
        except BaseException:
            await response.aclose()
            raise
        if value is None:
            return response
        await response.aclose()
        return await self._inner.handle_async_request(_with_credential(request, credential, value))

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        try:
            response = await self._authorized(request)
        except httpx2.ProxyError as error:
            raise self._unreachable(f"the proxy responded with status {str(error)[:3]}") from error
        except (httpx2.ConnectTimeout, httpx2.ConnectError, httpx2.PoolTimeout) as error:
            raise self._unreachable("" if self._tunnel is None else self._tunnel.failure) from error
        except httpx2.TimeoutException as error:
            raise UpstreamTimeoutError("the MCP server did not respond in time") from error
        except httpx2.TransportError as error:
            message = "the MCP server closed the connection before the response"
            raise UpstreamDisconnectedError(message) from error
        if response.status_code == 407 and self._endpoint.proxy is not None and request.url.scheme == "http":
            # Without a tunnel, the response of the proxy is in the place of that of the server.
            await response.aclose()
            raise self._unreachable("the proxy responded with status 407")
        if response.status_code in (401, 403) and self._endpoint.rejections is not None:
            self._endpoint.rejections.report(response.status_code)
        is_events = bare_media_type(response.headers.get("Content-Type", "")) == "text/event-stream"
        if 300 <= response.status_code < 400:
            return response
        if response.status_code == 200 and is_events:
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            stream = _LimitedEvents(response.stream, self._endpoint.response_limit)
            return httpx2.Response(200, headers=response.headers, stream=stream)
        body = await self._read(response)
        # The end of a session is no error of the call: the host opens another session and calls again.
        ended = response.status_code == 404 and _SESSION in request.headers
        if ended or (response.status_code >= 400 and not is_protocol_error(body)):
            media_type = response.headers.get("Content-Type", "")
            raise UpstreamStatusError(response.status_code, body, media_type, response.headers)
        return httpx2.Response(response.status_code, headers=_without_length(response.headers), content=body)

    def _unreachable(self, reason: str) -> UpstreamUnreachableError:
        """Return the error of a request that was not sent, with the proxy and what it said."""
        proxy, way = self._endpoint.proxy, ""
        if proxy is not None:
            way = f" through the proxy '{proxy.label}'{f' ({reason})' if reason else ''}"
        return UpstreamUnreachableError(f"there is no connection to the MCP server{way}")

    async def _read(self, response: httpx2.Response) -> bytes:
        limit = self._endpoint.response_limit
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        try:
            body = await read_at_most(limit, response.stream)
        except httpx2.TransportError as error:
            raise UpstreamIncompleteError(_INCOMPLETE) from error
        finally:
            await response.aclose()
        if body is None:
            raise too_large(limit)
        return body

    async def aclose(self) -> None:
        await self._inner.aclose()
        if self._former is not None:
            await self._former.aclose()
        if self._tunnel is not None:
            await self._tunnel.stop()


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _with_credential(request: httpx2.Request, credential: UpstreamCredential, value: str | None) -> httpx2.Request:
    if value is None:
        return request
    if credential.in_ == "header":
        request.headers[credential.name] = value
        return request
    # The client logs the URL of its own request.
    pair = f"{quote(credential.name, safe='')}={quote(value, safe='')}".encode()
    url = request.url.copy_with(query=b"&".join(filter(None, (request.url.query, pair))))
    headers, extensions = request.headers, request.extensions
    return httpx2.Request(request.method, url, headers=headers, stream=request.stream, extensions=extensions)


class _LimitedEvents(httpx2.AsyncByteStream):
    """A stream of events, each of which is at most as large as a response may be."""

    def __init__(self, stream: httpx2.AsyncByteStream, limit: int) -> None:
        self._stream = stream
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for chunk in self._stream:
                events = re.split(rb"\r?\n\r?\n", chunk)
                size = len(events[-1]) + (size if len(events) == 1 else 0)
                if max(size, *map(len, events)) > self._limit:
                    error = too_large(self._limit)
                    _note(error)
                    raise error
                yield chunk
        except httpx2.TransportError:
            _note(UpstreamIncompleteError(_INCOMPLETE))
            raise

    async def aclose(self) -> None:
        await self._stream.aclose()


def _without_length(headers: httpx2.Headers) -> list[tuple[str, str]]:
    return [
        (name, value) for name, value in headers.multi_items() if name not in ("content-length", "transfer-encoding")
    ]
