"""The endpoint, at `/mcp` and at the root: Streamable HTTP in every revision.

Well-formed requests are handled here. All others go to the SDK endpoint, which is loaded on first use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiohttp import web

from adapter_host import ApprovalRequiredError, encode_json, root_path
from adapter_host_mcp.discovery import ServerInfo
from adapter_host_mcp.features.error_codes import report_internal_error
from adapter_host_mcp.features.request_meta import enter_meta
from adapter_host_mcp.features.tool_calls import ToolCall, compile_call
from adapter_host_mcp.features.tool_results import error_members
from adapter_host_mcp.features.tools import Tool
from adapter_host_mcp.protocol import HANDSHAKE_VERSIONS, SSE_MEDIA_TYPE, STATELESS_VERSION, VERSION_HEADER

from .fast_path import McpRequest, is_notification, is_request_id, names_type, parse_body, parse_request
from .headers import empty_response, json_response
from .messages import note_message
from .page import Description, page_response
from .request import REQUIRED, HttpError, check_headers, error_response, read_body
from .response import ResponseStream
from .sessions import SESSION_HEADER, Session
from .state import ServerState, principal_identity

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler


_SUPPORTED_VERSIONS: Final = frozenset({None, STATELESS_VERSION, *HANDSHAKE_VERSIONS})


_ALLOWED: Final = "DELETE, GET, OPTIONS, POST"


class SdkEndpoint(Protocol):
    """The endpoint built on the SDK, for messages that the fast path does not handle."""

    @property
    def pending_requests(self) -> int:
        """The number of requests to clients that wait for a response."""

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Handle a POST request."""

    async def handle(self, request: web.Request, body: bytes, *, accepts_sse: bool) -> web.StreamResponse:
        """Handle the message in a body that is already read."""

    def stop(self) -> None:
        """Cancel the calls that continue without a connection."""


class HttpTransport:
    """Handles requests on the fast path, or by the endpoint that `build_endpoint` returns.

    Without `server_info` all requests go to that endpoint. `import_sdk` imports what `build_endpoint` needs; it runs in
    a thread. `describe` returns the content of the page for browsers.
    """

    def __init__(
        self,
        state: ServerState,
        tools: Mapping[str, Tool],
        server_info: ServerInfo | None,
        build_endpoint: Callable[[ServerState], SdkEndpoint],
        import_sdk: Callable[[], object],
        describe: Callable[[], Description],
    ) -> None:
        self._state = state
        # Clients without tasks cannot call a tool that requires them; the SDK rejects their calls.
        self._calls = {
            name: compile_call(tool) for name, tool in tools.items() if tool.task is None or not tool.task.required
        }
        self._server_info = server_info
        self._build_endpoint = build_endpoint
        self._import_sdk = import_sdk
        self._describe = describe
        self._importing = asyncio.Lock()
        self._endpoint: SdkEndpoint | None = None
        self._path = ""
        self._paths: frozenset[str] = frozenset()

    @property
    def active_count(self) -> int:
        """The number of responses in progress, open streams and pending requests to clients."""
        pending_requests = self._endpoint.pending_requests if self._endpoint is not None else 0
        return len(self._state.responses) + len(self._state.change_streams) + pending_requests

    def app(self, path: str) -> web.Application:
        """Build the application that serves the endpoint at `path` and at its root."""
        app = web.Application()
        # Below a prefix, the empty path is the prefix itself; otherwise it matches no request.
        resources = [app.router.add_resource(each) for each in (path, "/", "")]
        for resource in resources:
            resource.add_route("POST", self.post)
            resource.add_route("GET", self.get)
            resource.add_route("DELETE", self.delete)
            resource.add_route("*", _reject_method)

        async def find_paths(_: web.Application) -> None:
            # The prefix of the mount is known only at start-up.
            self._path = resources[0].canonical
            self._paths = frozenset(resource.canonical for resource in resources)

        app.on_startup.append(find_paths)
        return app

    def direct_handler(self, request: web.Request) -> Handler | None:
        """Return the handler for POST requests to the endpoint, else None."""
        return self.post if request.method == "POST" and request.rel_url.raw_path in self._paths else None

    def load_sdk(self) -> SdkEndpoint:
        """Return the SDK endpoint, building it on first use; raise `StartError` for an invalid tool definition."""
        self._endpoint = self._endpoint or self._build_endpoint(self._state)
        return self._endpoint

    async def _sdk_endpoint(self) -> SdkEndpoint:
        if self._endpoint is None:
            async with self._importing:
                # In a thread, so that the import does not block other requests.
                await asyncio.to_thread(self._import_sdk)
        return self.load_sdk()

    def notify_changed(self) -> None:
        """Notify listening clients that the lists have changed."""
        self._state.publish_changes()

    def close(self) -> None:
        """Close the change streams; calls in flight continue."""
        self._state.change_streams.close()

    async def stop(self) -> None:
        """Cancel the calls that continue without a connection, and keep their last events for other replicas."""
        if self._endpoint is not None:
            self._endpoint.stop()
        await self._state.responses.stop()

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Handle a POST request."""
        if self._server_info is None:
            return await (await self._sdk_endpoint()).post(request)
        try:
            accepts_sse = check_headers(request)
            body = await read_body(request, self._state.body_limit)
            decoded = parse_body(body)
            if self._state.logs_calls:
                note_message(decoded)
            if is_notification(decoded) and request.headers.get(VERSION_HEADER) in _SUPPORTED_VERSIONS:
                return await self._handle_notification(decoded, await self._state.session(request))
            rpc_request = parse_request(decoded, request.headers, await self._state.session(request))
        except HttpError as error:
            return error_response(error)
        response = (
            None
            if rpc_request is None
            else self._respond(rpc_request, request, self._server_info, accepts_sse=accepts_sse)
        )
        if response is None:
            return await (await self._sdk_endpoint()).handle(request, body, accepts_sse=accepts_sse)
        try:
            return response if isinstance(response, web.Response) else await response
        except ApprovalRequiredError as error:
            # The SDK asks the person at the client.
            request[REQUIRED] = error
            return await (await self._sdk_endpoint()).handle(request, body, accepts_sse=accepts_sse)

    def _respond(
        self, rpc_request: McpRequest, request: web.Request, server_info: ServerInfo, *, accepts_sse: bool
    ) -> web.Response | Awaitable[web.StreamResponse] | None:
        if rpc_request.method != "tools/call":
            return self._respond_static(rpc_request, request, server_info)
        call = self._calls.get(rpc_request.params["name"])
        if call is None or self._state.sessions.log_level(rpc_request.session) is not None:
            return None
        response_stream = ResponseStream(request, rpc_request, accepts_sse=accepts_sse)
        return self._state.responses.run(response_stream, self._call(call, rpc_request, response_stream, server_info))

    async def _handle_notification(self, notification: Mapping[str, Any], session: Session | None) -> web.Response:
        if notification["method"] == "notifications/cancelled" and session is not None:
            request_id = notification.get("params", {}).get("requestId")
            if is_request_id(request_id):
                await self._state.cancel(session, request_id)
        return empty_response(202)

    def _respond_static(self, rpc_request: McpRequest, request: web.Request, server_info: ServerInfo) -> web.Response:
        headers = None
        match rpc_request.method:
            case "initialize":
                version = rpc_request.params["protocolVersion"]
                capabilities = rpc_request.params["capabilities"]
                signed_id = self._state.sessions.create(version, capabilities, principal_identity(request))
                headers = {SESSION_HEADER: signed_id}
                result = server_info.initialize_result(version)
            case "server/discover":
                result = server_info.discover_result
            case "tools/list":
                result = server_info.tools_list(stateless=rpc_request.stateless)
            case _:
                result = b"{}"
        return json_response(_result_body(rpc_request, result), headers)

    async def _call(
        self,
        call: ToolCall,
        rpc_request: McpRequest,
        response_stream: ResponseStream[McpRequest],
        server_info: ServerInfo,
    ) -> web.StreamResponse:
        arguments = rpc_request.params.get("arguments", {})
        result_meta = server_info.result_meta if rpc_request.stateless else b""
        meta = enter_meta(rpc_request.params)
        try:
            members, _ = await call(
                arguments,
                response_stream.headers,
                rpc_request,
                allow_any_json=rpc_request.stateless,
                result_meta=result_meta,
                on_failure=response_stream.note_failure,
                on_event=None if rpc_request.progress_token is None else response_stream.send_progress,
                asks=True,
            )
        except ApprovalRequiredError as error:
            if not response_stream.has_begun:
                raise
            members = error_members(error, result_meta)
        except Exception as error:
            # The protocol boundary: the client must get a response, without details of the error.
            data = report_internal_error(rpc_request.method, rpc_request.params, error)
            response_stream.note_failure(data["data"]["request_id"])
            return await response_stream.finish(encode_json({"jsonrpc": "2.0", "id": rpc_request.id, "error": data}))
        finally:
            if meta is not None:
                meta.close()
        return await response_stream.finish(_result_body(rpc_request, b"{%b}" % members))

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Stream change notifications to a client of a handshake revision, or return the page for browsers."""
        try:
            _check_handshake(request)
            if names_type(request, SSE_MEDIA_TYPE):
                return await self._state.listen(request)
            if names_type(request, "text/html"):
                return page_response(self._describe(), self._endpoint_url(request))
            raise HttpError(406, "this is an MCP endpoint: send POST requests, or accept text/event-stream")
        except HttpError as error:
            return error_response(error)

    def _endpoint_url(self, request: web.Request) -> str:
        # Shown to the sender of the header only.
        secure = request.secure or request.headers.get("X-Forwarded-Proto") == "https"
        return f"{'https' if secure else 'http'}://{request.host}{root_path(request)}{self._path}"

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """Delete the session of a client."""
        try:
            _check_handshake(request)
            return await self._state.end_session(request)
        except HttpError as error:
            return error_response(error)


async def _reject_method(request: web.Request) -> web.Response:
    if request.method == "OPTIONS":
        return empty_response(204, {"Allow": _ALLOWED})
    return error_response(HttpError(405, f"method {request.method} is not allowed", {"Allow": _ALLOWED}))


def _check_handshake(request: web.Request) -> None:
    version = request.headers.get(VERSION_HEADER)
    if version == STATELESS_VERSION:
        raise HttpError(405, f"MCP {version} has only POST requests", {"Allow": "POST"})
    if version is not None and version not in HANDSHAKE_VERSIONS:
        raise HttpError(400, "unsupported protocol version")


def _result_body(rpc_request: McpRequest, result: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (encode_json(rpc_request.id), result)
