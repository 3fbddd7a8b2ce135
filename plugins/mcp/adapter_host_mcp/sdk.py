"""The protocol, by the official SDK; no other module imports its less advertised parts.

It costs a second to import, so nothing imports this module before something is served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import anyio
import mcp_types as types
from mcp.server.caching import CacheHint
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.runner import serve_one
from mcp.server.streamable_http import check_accept_headers
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    MCP_PROTOCOL_VERSION_HEADER,
    InboundLadderRejection,
    classify_inbound_request,
    find_duplicated_routing_header,
    unsupported_protocol_version_rejection,
)
from mcp.shared.jsonrpc_dispatcher import handler_exception_to_error_data
from mcp.shared.transport_context import TransportContext
from mcp_types import ErrorData, JSONRPCRequest, RequestId
from mcp_types import methods as wire
from mcp_types.version import (
    HANDSHAKE_PROTOCOL_VERSIONS,
    KNOWN_PROTOCOL_VERSIONS,
    LATEST_HANDSHAKE_VERSION,
    LATEST_MODERN_VERSION,
    MODERN_PROTOCOL_VERSIONS,
)
from pydantic import ValidationError

from adapter_host import StartError

from .tools import Tool

if TYPE_CHECKING:
    from aiohttp import web

LIST_AGE_MS: Final = 60_000
"""How long a client may keep a list of tools; a reloaded capability may have others."""

_TRANSPORT: Final = TransportContext(kind="streamable-http", can_send_request=False)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and the revision it is answered by; a stateless one brings along who calls."""

    request: JSONRPCRequest
    version: str
    client_info: Any = None
    client_capabilities: Any = None

    @property
    def stateless(self) -> bool:
        """Whether it is of the revisions that have no handshake."""
        return self.version in MODERN_PROTOCOL_VERSIONS

    def status(self, error: ErrorData) -> int:
        """The HTTP status of an error; the handshake revisions tell it in the body alone."""
        return ERROR_CODE_HTTP_STATUS.get(error.code, 200) if self.stateless else 200

    def check(self) -> None:
        """Raise `MCPError` unless the request is as its revision has it."""
        try:
            wire.validate_client_request(self.request.method, self.version, self.request.params)
        except ValidationError as error:
            raise _protocol_error(error) from None


@dataclass(slots=True)
class _Exchanging:
    """What the SDK asks of a transport during a request: nothing is ever sent ahead of the answer."""

    request_id: RequestId
    transport: TransportContext = _TRANSPORT
    can_send_request: bool = False
    message_metadata: None = None
    cancel_requested: anyio.Event = field(default_factory=anyio.Event)

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        raise NoBackChannelError(method)

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        return None

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        return None


def accepts_json(request: web.Request) -> bool:
    """Whether the client takes an answer in JSON, by the SDK's reading of Accept."""
    has_json, _ = check_accept_headers(request)  # type: ignore[arg-type]  # it reads the headers alone
    return has_json


def read_message(decoded: Any, headers: Mapping[str, str]) -> JSONRPCRequest | None:
    """The request in a decoded body, or None for a notification; raises `MCPError` for anything else."""
    try:
        if not isinstance(decoded, dict) or "id" in decoded:
            return JSONRPCRequest.model_validate(decoded)
        types.JSONRPCNotification.model_validate(decoded)
    except ValidationError:
        message = "the body must be a single JSON-RPC request or notification"
        raise MCPError(types.INVALID_REQUEST, message) from None
    version = headers.get(MCP_PROTOCOL_VERSION_HEADER, LATEST_MODERN_VERSION)
    rejection = unsupported_protocol_version_rejection(version, KNOWN_PROTOCOL_VERSIONS)
    if rejection is not None:
        raise _error(rejection)
    return None


def classify(request: JSONRPCRequest, decoded: Mapping[str, Any], headers: Mapping[str, str]) -> Exchange:
    """Find the revision to answer by; raises `MCPError` when header and body do not agree on it."""
    version = headers.get(MCP_PROTOCOL_VERSION_HEADER)
    handshake = version is None or version in HANDSHAKE_PROTOCOL_VERSIONS
    if handshake and (request.method == "initialize" or not _enveloped(request.params)):
        return Exchange(request, version or types.DEFAULT_NEGOTIATED_VERSION)
    if duplicated := find_duplicated_routing_header(headers.items()):
        raise MCPError(types.HEADER_MISMATCH, f"the header {duplicated} appears more than once")
    route = classify_inbound_request(decoded, headers=headers)
    if isinstance(route, InboundLadderRejection):
        raise _error(route)
    return Exchange(request, route.protocol_version, route.client_info, route.client_capabilities)


def _enveloped(params: Mapping[str, Any] | None) -> bool:
    meta = params.get("_meta") if params else None
    return isinstance(meta, Mapping) and types.PROTOCOL_VERSION_META_KEY in meta


def _error(rejection: InboundLadderRejection) -> MCPError:
    return MCPError(rejection.code, rejection.message, rejection.data)


def _protocol_error(error: ValidationError) -> MCPError:
    data = handler_exception_to_error_data(error)
    assert data is not None
    return MCPError.from_error_data(data)


def rejection_status(error: ErrorData) -> int:
    """The HTTP status of a message that could not be taken."""
    return ERROR_CODE_HTTP_STATUS.get(error.code, 400)


def build_server(
    name: str, *, title: str, version: str, instructions: str | None, tools: Mapping[str, Tool], shared: bool
) -> Server[None]:
    """A server that lists `tools`; with `shared`, what it tells one caller may be kept for others."""
    lists = {era: _list(tools, era) for era in (LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION)}

    async def list_tools(
        context: ServerRequestContext[None], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        if params and params.cursor is not None:
            raise MCPError(types.INVALID_PARAMS, "there is no such page: the list has one page alone")
        modern = context.protocol_version in MODERN_PROTOCOL_VERSIONS
        return lists[LATEST_MODERN_VERSION if modern else LATEST_HANDSHAKE_VERSION]

    hint = CacheHint(LIST_AGE_MS, "public" if shared else "private")
    server: Server[None] = Server(
        name,
        title=title,
        version=version,
        instructions=instructions,
        cache_hints={"tools/list": hint, "server/discover": hint},
        on_list_tools=list_tools,
    )
    # The SDK's tracing, which costs time on each request even when nothing collects it.
    server.middleware.clear()
    return server


def _list(tools: Mapping[str, Tool], version: str) -> types.ListToolsResult:
    any_output = version in MODERN_PROTOCOL_VERSIONS
    definitions = [tool.definition(any_output=any_output) for tool in tools.values()]
    for definition in definitions:
        _check(definition, version)
    return types.ListToolsResult.model_validate({"tools": definitions}, by_name=False)


def _check(definition: Mapping[str, Any], version: str) -> None:
    # One by one and before anything is served: a single tool that is not as it must be spoils the whole list.
    data = {"tools": [definition], "resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
    try:
        wire.validate_server_result("tools/list", version, data)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"][2:]))
        name = definition["name"]
        raise StartError(f"tool '{name}' cannot be offered over MCP {version}: its {place} is wrong") from error


async def serve(server: Server[None], exchange: Exchange) -> dict[str, Any]:
    """Answer a request by the SDK alone; raises `MCPError`."""
    request = exchange.request
    connection = Connection.from_envelope(exchange.version, exchange.client_info, exchange.client_capabilities)
    try:
        return await serve_one(
            server,
            _Exchanging(request.id),
            request.method,
            request.params,
            connection=connection,
            lifespan_state=None,
        )
    except ValidationError as error:
        raise _protocol_error(error) from None


def stamp(server: Server[None]) -> dict[str, Any]:
    """What the stateless revisions want in every result."""
    return {"resultType": "complete", "_meta": {types.SERVER_INFO_META_KEY: server.server_info_stamp}}
