"""Adapter to the official SDK; the only module that imports its less public parts.

The SDK takes a second to import, so this module is imported only when an exposer is served.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import anyio
import mcp_types as types
from mcp.server.connection import Connection
from mcp.server.lowlevel import Server
from mcp.server.runner import serve_one
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    MCP_PROTOCOL_VERSION_HEADER,
    InboundLadderRejection,
    classify_inbound_request,
    find_duplicated_routing_header,
    unsupported_protocol_version_rejection,
    validate_mcp_param_headers,
)
from mcp.shared.jsonrpc_dispatcher import (
    cancelled_request_id_from_params,
    handler_exception_to_error_data,
    progress_token_from_params,
)
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext
from mcp_types import ErrorData, JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse, RequestId
from mcp_types import methods as wire
from mcp_types.version import (
    HANDSHAKE_PROTOCOL_VERSIONS,
    KNOWN_PROTOCOL_VERSIONS,
    LATEST_HANDSHAKE_VERSION,
    MODERN_PROTOCOL_VERSIONS,
)
from pydantic import ValidationError

from .log_levels import LEVELS, meets_log_level

if TYPE_CHECKING:
    from adapter_host_mcp.http.response import ResponseStream
    from adapter_host_mcp.http.sessions import Session

    from .client_requests import ClientRequests

OneWayMessage = JSONRPCNotification | JSONRPCResponse | JSONRPCError
"""A message that gets no response."""

_ONE_WAY_MESSAGES: Final[Mapping[str, type[OneWayMessage]]] = {
    "method": JSONRPCNotification,
    "result": JSONRPCResponse,
    "error": JSONRPCError,
}


@dataclass(frozen=True, slots=True)
class ClassifiedRequest:
    """A request with its version and the identity of its principal; stateless ones carry the client's information.

    `client` is the principal or address of the client, None if it is not known.
    """

    request: JSONRPCRequest
    version: str
    headers: Mapping[str, str]
    session: Session | None = None
    principal: str = ""
    client: str | None = None
    client_info: Any = None
    client_capabilities: Any = None

    @property
    def cancel_key(self) -> tuple[str, RequestId] | None:
        """The session id and request id that `notifications/cancelled` refers to."""
        return (self.session.id, self.request.id) if self.session else None

    @property
    def progress_token(self) -> str | int | None:
        """The `progressToken` of the request."""
        return progress_token_from_params(self.request.params)

    @property
    def log_level(self) -> str | None:
        """The minimum level of log messages that a stateless request asks for."""
        meta = (self.request.params or {}).get("_meta")
        level = meta.get(types.LOG_LEVEL_META_KEY) if isinstance(meta, Mapping) else None
        return level if level in LEVELS else None

    @property
    def stateless(self) -> bool:
        """True for revisions without a handshake."""
        return self.version in MODERN_PROTOCOL_VERSIONS

    def http_status(self, error: ErrorData) -> int:
        """Return the HTTP status of an error; it is 200 in the handshake revisions."""
        return ERROR_CODE_HTTP_STATUS.get(error.code, 200) if self.stateless else 200

    def validate(self) -> None:
        """Raise `MCPError` unless the request is valid in its revision."""
        try:
            wire.validate_client_request(self.request.method, self.version, self.request.params)
        except ValidationError as error:
            raise _protocol_error(error) from None


@dataclass(slots=True)
class _OutboundChannel:
    """The SDK's outbound channel during a request: requests and notifications to the client."""

    response: ResponseStream[ClassifiedRequest]
    client_requests: ClientRequests
    log_level: str | None
    request_id: RequestId
    transport: TransportContext
    message_metadata: ServerMessageMetadata
    cancel_requested: anyio.Event = field(default_factory=anyio.Event)

    @property
    def can_send_request(self) -> bool:
        return self.transport.can_send_request

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        session = self.response.request_info.session
        if session is None or not self.can_send_request:
            raise NoBackChannelError(method)
        timeout = opts.get("timeout") if opts else None
        return await self.client_requests.send(session, self.response.send, method, params, timeout)

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        if method == "notifications/message" and not meets_log_level(str((params or {}).get("level")), self.log_level):
            return
        message = {"jsonrpc": "2.0", "method": method}
        await self.response.send(message if params is None else {**message, "params": params})

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        token = self.response.request_info.progress_token
        if token is not None:
            members = {"progressToken": token, "progress": progress, "total": total, "message": message}
            params = {key: value for key, value in members.items() if value is not None}
            await self.notify("notifications/progress", params)


def read_message(decoded: Any) -> JSONRPCRequest | OneWayMessage:
    """Validate a decoded body as a JSON-RPC message; raise `MCPError` for anything else."""
    try:
        if isinstance(decoded, dict) and ("id" not in decoded or "method" not in decoded):
            message_type = next(
                (message_type for key, message_type in _ONE_WAY_MESSAGES.items() if key in decoded), JSONRPCNotification
            )
            return message_type.model_validate(decoded)
        return JSONRPCRequest.model_validate(decoded)
    except ValidationError:
        message = "the body must be a single JSON-RPC request, notification or response"
        raise MCPError(types.INVALID_REQUEST, message) from None


def check_version(headers: Mapping[str, str]) -> str | None:
    """Return the protocol version in the header, if any; raise `MCPError` for an unknown one."""
    version = headers.get(MCP_PROTOCOL_VERSION_HEADER)
    if version is not None:
        rejection = unsupported_protocol_version_rejection(version, KNOWN_PROTOCOL_VERSIONS)
        if rejection is not None:
            raise _rejection_error(rejection)
    return version


def can_resume(request_info: ClassifiedRequest) -> bool:
    """Return True if the client can reconnect to a detached stream."""
    return request_info.session is not None and request_info.version == LATEST_HANDSHAKE_VERSION


def is_stateless(version: str | None) -> bool:
    """Return True for revisions without a handshake."""
    return version in MODERN_PROTOCOL_VERSIONS


def cancelled_request(notification: JSONRPCNotification) -> RequestId | None:
    """Return the id of the request that a notification cancels, or None for other notifications."""
    if notification.method != "notifications/cancelled":
        return None
    return cancelled_request_id_from_params(notification.params)


def classify(
    request: JSONRPCRequest,
    decoded: Mapping[str, Any],
    headers: Mapping[str, str],
    session: Session | None,
    principal: str,
    client: str | None = None,
) -> ClassifiedRequest:
    """Determine the protocol version of a request; raise `MCPError` when headers and body contradict each other."""
    version = headers.get(MCP_PROTOCOL_VERSION_HEADER)
    handshake = version is None or version in HANDSHAKE_PROTOCOL_VERSIONS
    if handshake and (request.method == "initialize" or not _has_protocol_version(request.params)):
        agreed = session.version if session else types.DEFAULT_NEGOTIATED_VERSION
        return ClassifiedRequest(request, version or agreed, headers, session, principal, client)
    if duplicated := find_duplicated_routing_header(headers.items()):
        raise MCPError(types.HEADER_MISMATCH, f"duplicate header {duplicated}")
    route = classify_inbound_request(decoded, headers=headers)
    if isinstance(route, InboundLadderRejection):
        raise _rejection_error(route)
    return ClassifiedRequest(
        request, route.protocol_version, headers, None, principal, client, route.client_info, route.client_capabilities
    )


def _has_protocol_version(params: Mapping[str, Any] | None) -> bool:
    meta = params.get("_meta") if params else None
    return isinstance(meta, Mapping) and types.PROTOCOL_VERSION_META_KEY in meta


def _rejection_error(rejection: InboundLadderRejection) -> MCPError:
    return MCPError(rejection.code, rejection.message, rejection.data)


def _protocol_error(error: ValidationError) -> MCPError:
    data = handler_exception_to_error_data(error)
    assert data is not None
    return MCPError.from_error_data(data)


def rejection_status(error: ErrorData) -> int:
    """Return the HTTP status for a rejected message."""
    return ERROR_CODE_HTTP_STATUS.get(error.code, 400)


async def handle_request(
    server: Server[None],
    response: ResponseStream[ClassifiedRequest],
    client_requests: ClientRequests,
    *,
    log_level: str | None = None,
    detach: Callable[[], Awaitable[None]] | None = None,
) -> dict[str, Any]:
    """Handle a request by the SDK's server; raise `MCPError`.

    Log messages below `log_level` are dropped; `detach` closes the stream before the result, for handlers.
    """
    request_info = response.request_info
    request = request_info.request
    _check_param_headers(server, request_info)
    can_send_request = request_info.session is not None and response.accepts_sse
    channel = _OutboundChannel(
        response,
        client_requests,
        log_level,
        request.id,
        TransportContext(kind="streamable-http", can_send_request=can_send_request, headers=request_info.headers),
        ServerMessageMetadata(request_context=request_info, close_sse_stream=detach),
    )
    try:
        return await serve_one(
            server,
            channel,
            request.method,
            request.params,
            connection=_connection(request_info, channel),
            lifespan_state=None,
        )
    except ValidationError as error:
        raise _protocol_error(error) from None


def _connection(request_info: ClassifiedRequest, channel: _OutboundChannel) -> Connection:
    if request_info.stateless:
        return Connection.from_envelope(
            request_info.version, request_info.client_info, request_info.client_capabilities
        )
    # Messages unrelated to the request use its stream as well, as the client certainly reads that one.
    capabilities = request_info.session.capabilities if request_info.session else None
    return Connection.from_envelope(request_info.version, None, capabilities, outbound=channel)


def _check_param_headers(server: Server[None], request_info: ClassifiedRequest) -> None:
    params = request_info.request.params or {}
    name, arguments = params.get("name"), params.get("arguments")
    if not request_info.stateless or request_info.request.method != "tools/call" or not isinstance(name, str):
        return
    schema = server.get_tool_input_schema(name) if server.get_tool_input_schema else None
    if schema is None or not isinstance(arguments, Mapping):
        return
    rejection = validate_mcp_param_headers(schema, arguments, request_info.headers)
    if rejection is not None:
        raise _rejection_error(rejection)


def result_meta(server: Server[None]) -> dict[str, Any]:
    """Return the members that the stateless revisions require in every result."""
    return {"resultType": "complete", "_meta": {types.SERVER_INFO_META_KEY: server.server_info_stamp}}
