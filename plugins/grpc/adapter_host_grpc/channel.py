"""The connection to a consumed API: calls, their limits and their errors, by grpcio."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import grpc
import orjson
from adapter_host import (
    Authorizer,
    ClientProxy,
    ClientTls,
    ClientTunnel,
    RejectionLog,
    Settings,
    UpstreamDisconnectedError,
    UpstreamError,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from .call_credential import CallCredential, Metadata

_STATUSES: Final = {
    "CANCELLED": 499,
    "INVALID_ARGUMENT": 400,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "UNAUTHENTICATED": 401,
}
_REJECTED: Final = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
_DETAILS: Final = "grpc-status-details-bin"
_FIRST_RECONNECT: Final = 100
_LAST_RECONNECT: Final = 5_000


class Upstream:
    """A consumed API at one address; `name` is that of its consumer, for messages."""

    def __init__(
        self,
        name: str,
        connect_timeout: float,
        total_timeout: float,
        settings: Settings,
        authorizer: Authorizer | None = None,
        tls: ClientTls | None = None,
        proxy: ClientProxy | None = None,
        rejections: RejectionLog | None = None,
    ) -> None:
        self._authorizer = authorizer
        self._name = name
        self._connect_timeout = connect_timeout
        self._total_timeout = total_timeout
        self._settings = settings
        self._tls = tls
        self._loaded = None if tls is None else tls.current
        self._url = ""
        self._proxy = proxy
        self._rejections = rejections
        self._tunnel: ClientTunnel | None = None
        self._channel: grpc.aio.Channel | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def open(self, url: str) -> None:
        """Prepare calls to `grpc://host:port`, or with TLS to `grpcs://host:port`; nothing is sent yet."""
        self._url = url
        if self._authorizer is not None:
            # Its origin is that of a token endpoint on the same port.
            self._authorizer.start(url.replace("grpc", "http", 1))
        if self._proxy is not None:
            # grpcio knows proxies of HTTP only, and calls hosts of the variable no_proxy directly.
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "grpcs" else 80)
            self._tunnel = ClientTunnel(self._proxy, parts.hostname or "", port, self._connect_timeout)
            self._tunnel.start()
        self._channel = self._new_channel()

    def _new_channel(self) -> grpc.aio.Channel:
        parts = urlsplit(self._url)
        options: list[tuple[str, Any]] = [
            ("grpc.max_receive_message_length", self._settings.response_limit),
            ("grpc.max_send_message_length", -1),
            # Repeated calls are up to the document, and proxies to its operator.
            ("grpc.enable_retries", 0),
            ("grpc.enable_http_proxy", 0),
            ("grpc.service_config_disable_resolution", 1),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.initial_reconnect_backoff_ms", _FIRST_RECONNECT),
            ("grpc.min_reconnect_backoff_ms", max(_FIRST_RECONNECT, int(self._connect_timeout * 2000))),
            ("grpc.max_reconnect_backoff_ms", _LAST_RECONNECT),
        ]
        target = parts.netloc
        if self._tunnel is not None:
            target = f"unix:{self._tunnel.path}"
            if self._tls is None or self._tls.server_name is None:
                # Otherwise it is the name of the certificate, as without a proxy.
                options.append(("grpc.default_authority", parts.netloc))
        if parts.scheme != "grpcs":
            return grpc.aio.insecure_channel(target, options=options)
        trusted, key, certificate = _certificates(self._settings.environment), None, None
        if self._tls is not None and self._loaded is not None:
            trusted, key, certificate = self._loaded.ca or trusted, self._loaded.key, self._loaded.certificate
            if self._tls.server_name is not None:
                options.append(("grpc.ssl_target_name_override", self._tls.server_name))
        credentials = grpc.ssl_channel_credentials(trusted, key, certificate)
        return grpc.aio.secure_channel(target, credentials, options=options)

    def _follow_files(self, tls: ClientTls) -> None:
        """Use changed files: open another connection, and close the former one after its calls."""
        channel, self._loaded = self._channel, tls.current
        self._channel = self._new_channel()
        if channel is not None:
            closing = asyncio.create_task(channel.close(self._total_timeout))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        channel, self._channel = self._channel, None
        if self._authorizer is not None:
            await self._authorizer.stop()
        for closing in tuple(self._closing):
            closing.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        if channel is not None:
            await channel.close()
        if self._tunnel is not None:
            await self._tunnel.stop()

    async def call(self, path: str, request: bytes, metadata: Metadata) -> bytes:
        """Return the response of a unary method; raise `UpstreamError`."""
        credential = self._credential()
        while True:
            sent = (*metadata, *await credential.metadata())
            channel = await self._connected()
            method: Any = channel.unary_unary(path)
            try:
                response: bytes = await method(request, timeout=credential.remaining(), metadata=sent)
            except grpc.aio.AioRpcError as error:
                if not await credential.replaces(error):
                    raise self._error(error) from error
            else:
                return response

    async def stream(self, path: str, request: bytes, metadata: Metadata) -> AsyncIterator[bytes]:
        """Yield the responses of a method as they arrive; raise `UpstreamError`. Each must arrive in time."""
        credential = self._credential()
        while True:
            sent = (*metadata, *await credential.metadata())
            channel = await self._connected()
            method: Any = channel.unary_stream(path)
            call = method(request, metadata=sent)
            responded = False
            try:
                while True:
                    async with asyncio.timeout(self._total_timeout):
                        message = await call.read()
                    if message is grpc.aio.EOF:
                        return
                    responded = True
                    yield message
            except TimeoutError:
                raise self._late() from None
            except grpc.aio.AioRpcError as error:
                # A method that has responded was executed.
                if responded or not await credential.replaces(error):
                    raise self._error(error) from error
            finally:
                call.cancel()

    def _credential(self) -> CallCredential:
        return CallCredential(self._authorizer, asyncio.get_running_loop().time() + self._total_timeout)

    async def _connected(self) -> grpc.aio.Channel:
        """Return the channel once it is connected; raise `UpstreamError`, after which certainly nothing was sent."""
        if self._tls is not None and self._tls.current is not self._loaded and self._channel is not None:
            self._follow_files(self._tls)
        channel = self._channel
        if channel is None:
            raise UpstreamUnreachableError(f"the upstream '{self._name}' is not open")
        state = channel.get_state(try_to_connect=True)
        try:
            async with asyncio.timeout(self._connect_timeout):
                while state is not grpc.ChannelConnectivity.READY:
                    if state in (grpc.ChannelConnectivity.TRANSIENT_FAILURE, grpc.ChannelConnectivity.SHUTDOWN):
                        raise self._unreachable()
                    await channel.wait_for_state_change(state)
                    state = channel.get_state(try_to_connect=True)
        except TimeoutError:
            message = f"the upstream '{self._name}' did not accept a connection within {self._connect_timeout:g} s"
            raise UpstreamTimeoutError(message, sent=False) from None
        return channel

    def _unreachable(self) -> UpstreamUnreachableError:
        way = ""
        if self._tunnel is not None:
            reason = f" ({self._tunnel.failure})" if self._tunnel.failure else ""
            way = f" through the proxy '{self._tunnel.proxy.label}'{reason}"
        return UpstreamUnreachableError(f"the upstream '{self._name}' cannot be reached{way}")

    def _late(self) -> UpstreamTimeoutError:
        message = f"the upstream '{self._name}' did not respond within {self._total_timeout:g} s"
        return UpstreamTimeoutError(message, sent=True)

    def _error(self, error: grpc.aio.AioRpcError) -> UpstreamError:
        code, text = error.code(), error.details() or ""
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return self._late()
        # grpcio does not say otherwise which statuses are its own.
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "CLIENT: Received message larger than max" in text:
            limit = self._settings.response_limit
            return UpstreamInvalidError(f"the upstream response is larger than {limit} bytes")
        if code is grpc.StatusCode.UNAVAILABLE and text.startswith("failed to connect to all addresses"):
            return self._unreachable()
        if text.startswith("Stream removed ("):
            message = f"the upstream '{self._name}' closed the connection before its response"
            return UpstreamDisconnectedError(message)
        if self._rejections is not None and code in _REJECTED:
            self._rejections.report(code.name)
        return status_error(code.name, text, _details(error))


def status_error(code: str, message: str, details: list[Any]) -> UpstreamStatusError:
    """Return the error for a status: its HTTP status as `google.rpc.Code` relates them, and the status as JSON."""
    body = {"code": code, "message": message, **({"details": details} if details else {})}
    return UpstreamStatusError(_STATUSES.get(code, 500), orjson.dumps(body), "application/json")


def _details(error: grpc.aio.AioRpcError) -> list[Any]:
    """Return the details of a status as plain data; those of unknown types are left out."""
    assert error_details_pb2.DESCRIPTOR is not None  # their types are known
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS and isinstance(value, bytes):
            try:
                status = status_pb2.Status.FromString(value)
            except DecodeError:
                return []
            return [found for each in status.details if (found := _detail(each)) is not None]
    return []


def _detail(detail: Any) -> Any:
    try:
        return json_format.MessageToDict(detail)
    except (TypeError, ValueError):
        return None


def _certificates(environment: Mapping[str, str]) -> bytes | None:
    """Return the certificates that the process trusts; None for those that grpcio brings."""
    path = environment.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    return Path(path).read_bytes() if path and Path(path).is_file() else None
