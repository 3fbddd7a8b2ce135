"""The endpoint built on the SDK: requests off the fast path, and features that only the SDK has."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    ErrorData,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
)

from adapter_host import StoreUnavailableError, current_call, encode_json, note_call
from adapter_host_mcp.features.approvals import InputRequiredError, call_approved
from adapter_host_mcp.features.error_codes import report_internal_error
from adapter_host_mcp.features.request_meta import enter_meta
from adapter_host_mcp.features.tool_calls import compile_call
from adapter_host_mcp.features.tools import Tool, unknown_tool
from adapter_host_mcp.http.fast_path import names_type
from adapter_host_mcp.http.headers import empty_response, json_error
from adapter_host_mcp.http.messages import note_message
from adapter_host_mcp.http.request import HttpError, check_headers, error_response, read_body
from adapter_host_mcp.http.response import ResponseStream
from adapter_host_mcp.http.sessions import SESSION_HEADER, Session
from adapter_host_mcp.http.state import principal_identity, unavailable
from adapter_host_mcp.protocol import SSE_MEDIA_TYPE
from adapter_host_mcp.sdk import adapter as sdk

from .asking import asking_client
from .client_requests import ClientRequests
from .decoding import decode_body
from .log_levels import meets_log_level
from .server import LISTEN, add_log_level, add_subscriptions, seal_state

if TYPE_CHECKING:
    from adapter_host_mcp.http.state import ServerState

    from .tasks import TaskCall, Tasks

PendingResponse = ResponseStream[sdk.ClassifiedRequest]
"""A response in progress to a request that the SDK has parsed."""


class SdkEndpoint:
    """Handles requests with the SDK's server."""

    def __init__(
        self, server: Server[None], tools: Mapping[str, Tool], state: ServerState, tasks: Tasks | None = None
    ) -> None:
        self._server = server
        self._begun = b',"_meta":%b' % orjson.dumps(sdk.result_meta(server)["_meta"])
        self._task_calls = tasks
        self._tools = tools
        self._calls = {name: compile_call(tool) for name, tool in tools.items()}
        self._state = state
        self._result_meta = b"," + orjson.dumps(sdk.result_meta(server))[1:-1]
        self._client_requests = ClientRequests(state.replicas)
        self._tasks: set[asyncio.Task[web.StreamResponse]] = set()
        add_subscriptions(server, state.change_streams)
        add_log_level(server, state)
        seal_state(server, state.key)

    @property
    def pending_requests(self) -> int:
        """The number of requests to clients that wait for a response."""
        return len(self._client_requests)

    def stop(self) -> None:
        """Cancel the calls that continue without a connection."""
        for task in self._tasks:
            task.cancel()

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Handle a POST request."""
        try:
            accepts_sse = check_headers(request)
            body = await read_body(request, self._state.body_limit)
        except HttpError as error:
            return error_response(error)
        return await self.handle(request, body, accepts_sse=accepts_sse)

    async def handle(self, request: web.Request, body: bytes, *, accepts_sse: bool) -> web.StreamResponse:
        """Handle the message in a body; `accepts_sse` says whether the client accepts an event stream."""
        try:
            decoded = decode_body(body)
            if self._state.logs_calls:
                note_message(decoded)
            message = sdk.read_message(decoded)
            session = await self._state.session(request)
            if not isinstance(message, JSONRPCRequest):
                await self._handle_one_way(message, session, request)
                return empty_response(202)
        except HttpError as error:
            return error_response(error)
        except MCPError as error:
            return _error_response(None, error.error, sdk.rejection_status(error.error))
        try:
            request_info = sdk.classify(
                message, decoded, request.headers, session, principal_identity(request), self._state.client(request)
            )
        except MCPError as error:
            return _error_response(message.id, error.error, sdk.rejection_status(error.error))
        if message.method == LISTEN and request_info.stateless and not names_type(request, SSE_MEDIA_TYPE):
            return error_response(HttpError(406, "the client must accept text/event-stream"))
        response = PendingResponse(request, request_info, accepts_sse=accepts_sse)
        if (
            accepts_sse
            and message.method == "tools/call"
            and sdk.can_resume(request_info)
            and self._tool(request_info) is None
        ):
            return await self._respond_in_task(response)
        return await self._respond(response)

    def _tool(self, request_info: sdk.ClassifiedRequest) -> Tool | None:
        if request_info.request.method != "tools/call" or not request_info.request.params:
            return None
        name = request_info.request.params.get("name")
        return self._tools.get(name) if isinstance(name, str) else None

    async def _handle_one_way(self, message: sdk.OneWayMessage, session: Session | None, request: web.Request) -> None:
        version = sdk.check_version(request.headers)
        if isinstance(message, JSONRPCNotification):
            request_id = sdk.cancelled_request(message)
            if session is not None and request_id is not None:
                await self._state.cancel(session, request_id)
        elif sdk.is_stateless(version) or not await self._resolve(session, message):
            raise MCPError(INVALID_REQUEST, "no pending request for this response")

    async def _resolve(self, session: Session | None, message: JSONRPCResponse | JSONRPCError) -> bool:
        try:
            return await self._client_requests.resolve(session, message)
        except StoreUnavailableError as error:
            raise unavailable(error) from None

    async def _respond_in_task(self, response: PendingResponse) -> web.StreamResponse:
        """Run the response in a task that continues when a handler detaches the stream."""
        response.detached = asyncio.Event()
        response.task = task = asyncio.create_task(self._respond(response))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        detached = asyncio.create_task(response.detached.wait())
        try:
            await asyncio.wait({task, detached}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            detached.cancel()
        return await (response.end_without_result() if response.detached.is_set() else task)

    async def _respond(self, response: PendingResponse) -> web.StreamResponse:
        meta = enter_meta(response.request_info.request.params)
        try:
            return await self._state.responses.run(response, self._finish(response))
        finally:
            if meta is not None:
                meta.close()

    async def _finish(self, response: PendingResponse) -> web.StreamResponse:
        request_info = response.request_info
        headers = None
        try:
            if request_info.request.method == "initialize":
                result, headers = await self._initialize(response)
            else:
                result = await self._result(response)
        except MCPError as error:
            data = error.error
            response.note_failure(current_call().request_id)
        except Exception as error:
            # The protocol boundary: the client must get a response, without details of the error.
            data = ErrorData(**report_internal_error(request_info.request.method, request_info.request.params, error))
            response.note_failure(data.data["request_id"])
        else:
            body = b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (encode_json(request_info.request.id), result)
            return await response.finish(body, headers=headers)
        return await response.finish(_error_body(request_info.request.id, data), request_info.http_status(data))

    async def _initialize(self, response: PendingResponse) -> tuple[bytes, Mapping[str, str]]:
        result = await sdk.handle_request(self._server, response, self._client_requests)
        params = response.request_info.request.params or {}
        principal = response.request_info.principal
        signed_id = self._state.sessions.create(result["protocolVersion"], params["capabilities"], principal)
        return encode_json(result), {SESSION_HEADER: signed_id}

    async def _result(self, response: PendingResponse) -> bytes:
        request_info = response.request_info
        params = request_info.request.params or {}
        tool = self._tool(request_info)
        if tool is None:
            return encode_json(await self._serve(response, params))
        # Bypass the SDK's server, which would validate the result again. The generated input schemas never ask for
        # Mcp-Param headers, so there are none to compare.
        request_info.validate()
        begin_task = self._begin_task(tool, request_info)
        result_meta = self._result_meta if request_info.stateless else b""
        arguments = params.get("arguments") or {}
        call = partial(
            self._calls[tool.name],
            arguments,
            request_info.headers,
            request_info,
            allow_any_json=request_info.stateless,
            result_meta=result_meta,
            on_failure=response.note_failure,
            on_event=None if request_info.progress_token is None else response.send_progress,
            begin_task=begin_task,
        )
        client = asking_client(response, self._client_requests)
        try:
            members, violation = await call_approved(call, client, params, response.required_approval, result_meta)
        except InputRequiredError as error:
            return encode_json({**sdk.result_meta(self._server), **error.result})
        if begin_task is not None and begin_task.begun:
            return b"{%b%b}" % (members, self._begun)
        if violation is not None:
            await self._send_violation(tool.name if tool.router is None else arguments["name"], violation, response)
        return b"{%b}" % members

    def _begin_task(self, tool: Tool, request_info: sdk.ClassifiedRequest) -> TaskCall | None:
        if self._task_calls is None:
            return None
        capabilities, principal = request_info.client_capabilities, request_info.principal
        return self._task_calls.start_call(tool, capabilities, principal, stateless=request_info.stateless)

    async def _serve(self, response: PendingResponse, params: Mapping[str, Any]) -> dict[str, Any]:
        request = response.request_info.request
        if request.method == "tools/call" and self._server.get_request_handler("tools/call") is None:
            response.request_info.validate()
            raise MCPError(INVALID_PARAMS, unknown_tool(self._tools, params["name"]))
        return await sdk.handle_request(
            self._server,
            response,
            self._client_requests,
            log_level=self._handler_log_level(response.request_info),
            detach=partial(self._state.responses.detach, response) if response.detached is not None else None,
        )

    def _handler_log_level(self, request_info: sdk.ClassifiedRequest) -> str | None:
        # In the handshake revisions the server chooses the level until the client sets one.
        return self._log_level(request_info) or (None if request_info.stateless else "debug")

    def _log_level(self, request_info: sdk.ClassifiedRequest) -> str | None:
        """Return the minimum level of log messages that the client has asked for, or None."""
        return (
            request_info.log_level if request_info.stateless else self._state.sessions.log_level(request_info.session)
        )

    async def _send_violation(self, tool: str, violation: str, response: PendingResponse) -> None:
        if meets_log_level("warning", self._log_level(response.request_info)):
            params = {"level": "warning", "logger": tool, "data": violation}
            await response.send({"jsonrpc": "2.0", "method": "notifications/message", "params": params})


def _error_response(request_id: RequestId | None, data: ErrorData, status: int) -> web.Response:
    return json_error(_error_body(request_id, data), status)


def _error_body(request_id: RequestId | None, data: ErrorData) -> bytes:
    note_call(error=data.code)
    return encode_json({"jsonrpc": "2.0", "id": request_id, "error": data.model_dump(exclude_none=True)})
