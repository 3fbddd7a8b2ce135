"""The endpoint on the SDK: everything that is not plainly right at the front, and all that it alone can do."""

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
    JSONRPCNotification,
    JSONRPCRequest,
    RequestId,
)

from adapter_host import TRACE_CONTEXT
from adapter_host_mcp.features.tool_results import call_tool, set_trace_context, unexpected
from adapter_host_mcp.features.tools import Tool
from adapter_host_mcp.http.request import RefusalError, check_headers, read, refusal_response
from adapter_host_mcp.http.response import ResponseStream
from adapter_host_mcp.http.sessions import HEADER, Session
from adapter_host_mcp.protocol import JSON
from adapter_host_mcp.sdk import adapter as sdk
from adapter_host_mcp.tool_names import LONGEST

from .client_requests import ClientRequests
from .decoding import decode
from .server import LISTEN, add_listening, add_log_level, seal_state

if TYPE_CHECKING:
    from adapter_host_mcp.http.state import ServerState

Pending = ResponseStream[sdk.Exchange]
"""A reply in progress to a request as the SDK reads it."""


class SdkEndpoint:
    """Answers each request on its own, by the SDK."""

    def __init__(self, server: Server[None], tools: Mapping[str, Tool], state: ServerState) -> None:
        self._server = server
        self._tools = tools
        self._state = state
        self._stamp = b"," + orjson.dumps(sdk.result_meta(server))[1:-1]
        self._client_requests = ClientRequests()
        self._work: set[asyncio.Task[web.StreamResponse]] = set()
        add_listening(server, state.streams)
        add_log_level(server, state.sessions)
        seal_state(server, state.key)

    @property
    def client_requests(self) -> int:
        """The requests of ours that wait for an answer."""
        return len(self._client_requests)

    def stop(self) -> None:
        """Cut off what goes on without a connection."""
        for work in self._work:
            work.cancel()

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Take one message."""
        try:
            streams = check_headers(request)
            body = await read(request, self._state.body_limit)
        except RefusalError as refusal:
            return refusal_response(refusal)
        return await self.take(request, body, streams=streams)

    async def take(self, request: web.Request, body: bytes, *, streams: bool) -> web.StreamResponse:
        """Take the message in a body; `streams` says whether the client takes a stream of events."""
        try:
            decoded = decode(body)
            message = sdk.read_message(decoded)
            session = self._state.session(request)
            if not isinstance(message, JSONRPCRequest):
                self._take(message, session, request)
                return web.Response(status=202)
        except RefusalError as refusal:
            return refusal_response(refusal)
        except MCPError as error:
            return _error(None, error.error, sdk.rejection_status(error.error))
        try:
            exchange = sdk.classify(message, decoded, request.headers, session)
        except MCPError as error:
            return _error(message.id, error.error, sdk.rejection_status(error.error))
        if message.method == LISTEN and exchange.stateless and not streams:
            return refusal_response(RefusalError(406, "the client must accept text/event-stream"))
        reply = Pending(request, exchange, streams=streams)
        if streams and message.method == "tools/call" and sdk.may_resume(exchange) and self._tool(exchange) is None:
            return await self._respond_detached(reply)
        return await self._reply(reply)

    def _tool(self, exchange: sdk.Exchange) -> Tool | None:
        if exchange.request.method != "tools/call" or not exchange.request.params:
            return None
        name = exchange.request.params.get("name")
        return self._tools.get(name) if isinstance(name, str) else None

    def _take(self, message: sdk.Notice, session: Session | None, request: web.Request) -> None:
        version = sdk.check_version(request.headers)
        if isinstance(message, JSONRPCNotification):
            cancelled = sdk.cancelled_request(message)
            if session is not None and cancelled is not None:
                self._state.active_responses.cancel(session.id, cancelled)
        elif sdk.is_stateless(version) or not self._client_requests.answer(session, message):
            raise MCPError(INVALID_REQUEST, "no request waits for this answer here")

    async def _respond_detached(self, reply: Pending) -> web.StreamResponse:
        """Reply by a task of its own, which goes on when a handler has the stream ended."""
        reply.detached = asyncio.Event()
        reply.task = work = asyncio.create_task(self._reply(reply))
        self._work.add(work)
        work.add_done_callback(self._work.discard)
        detached = asyncio.create_task(reply.detached.wait())
        try:
            await asyncio.wait({work, detached}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            work.cancel()
            raise
        finally:
            detached.cancel()
        return await (reply.abandon() if reply.detached.is_set() else work)

    async def _reply(self, reply: Pending) -> web.StreamResponse:
        token = set_trace_context(reply.exchange.request.params)
        try:
            return await self._state.active_responses.finish(reply, self._answer(reply))
        finally:
            if token is not None:
                TRACE_CONTEXT.reset(token)

    async def _answer(self, reply: Pending) -> web.StreamResponse:
        exchange = reply.exchange
        headers = None
        try:
            if exchange.request.method == "initialize":
                result, headers = await self._initialize(reply)
            else:
                result = await self._result(reply)
        except MCPError as error:
            data = error.error
        except Exception as error:
            # The edge of the protocol: whatever went wrong, the client is owed an answer, and no details.
            data = ErrorData(**unexpected(exchange.request.method, exchange.request.params, error))
        else:
            body = b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (orjson.dumps(exchange.request.id), result)
            return await reply.finish(body, headers=headers)
        return await reply.finish(_error_body(exchange.request.id, data), exchange.status(data))

    async def _initialize(self, reply: Pending) -> tuple[bytes, Mapping[str, str]]:
        result = await sdk.serve(self._server, reply, self._client_requests)
        params = reply.exchange.request.params or {}
        sealed = self._state.sessions.begin(result["protocolVersion"], params["capabilities"])
        return orjson.dumps(result), {HEADER: sealed}

    async def _result(self, reply: Pending) -> bytes:
        exchange = reply.exchange
        params = exchange.request.params or {}
        tool = self._tool(exchange)
        if tool is None:
            return orjson.dumps(await self._serve(reply, params))
        # Past the SDK's server: it would validate all that is written here a second time, piece by piece. No
        # input schema of ours asks for Mcp-Param headers, so there are none to compare.
        exchange.check()
        arguments = params.get("arguments") or {}
        members = await call_tool(tool, arguments, exchange.headers, any_output=exchange.stateless)
        if tool.find_flaw is not None:
            await self._tell_flaw(tool, members, reply)
        return b"{%b%b}" % (members, self._stamp if exchange.stateless else b"")

    async def _serve(self, reply: Pending, params: Mapping[str, Any]) -> dict[str, Any]:
        request = reply.exchange.request
        if request.method == "tools/call" and self._server.get_request_handler("tools/call") is None:
            reply.exchange.check()
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {params['name'][:LONGEST]}")
        return await sdk.serve(
            self._server,
            reply,
            self._client_requests,
            log_level=self._handler_level(reply.exchange),
            part=partial(self._state.active_responses.part, reply) if reply.detached is not None else None,
        )

    def _handler_level(self, exchange: sdk.Exchange) -> str | None:
        # Before a client has set a level, the revisions with a handshake leave it to the server what to send.
        return self._log_level(exchange) or (None if exchange.stateless else "debug")

    def _log_level(self, exchange: sdk.Exchange) -> str | None:
        """Return the least severe log message that a client has asked for; None when it has not."""
        return exchange.log_level if exchange.stateless else self._state.sessions.level(exchange.session)

    async def _tell_flaw(self, tool: Tool, members: bytes, reply: Pending) -> None:
        if not sdk.is_wanted("warning", self._log_level(reply.exchange)):
            return
        output = orjson.loads(b"{%b}" % members).get("structuredContent")
        if tool.wraps and not reply.exchange.stateless and output is not None:
            output = output["result"]
        if output is not None and (flaw := tool.flaw(output)) is not None:
            params = {"level": "warning", "logger": tool.name, "data": flaw}
            await reply.send({"jsonrpc": "2.0", "method": "notifications/message", "params": params})


def _error(request_id: RequestId | None, data: ErrorData, status: int) -> web.Response:
    return web.Response(body=_error_body(request_id, data), status=status, content_type=JSON)


def _error_body(request_id: RequestId | None, data: ErrorData) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": request_id, "error": data.model_dump(exclude_none=True)})
