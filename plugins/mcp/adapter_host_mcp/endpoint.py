"""The endpoint `/mcp`: Streamable HTTP, of every revision."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

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

from . import sdk
from .body import Refusal, decode, read
from .calls import call_tool, carry, unexpected
from .naming import LONGEST
from .questions import Questions
from .replies import Replies
from .reply import JSON, Reply
from .server import CHANGES, LISTEN, add_listening, add_log_level, change_message, seal_state
from .sessions import HEADER, EndedError, Session, Sessions
from .streams import COMMENT, EventStream, FullError, News, Streams
from .tools import Tool


class Endpoint:
    """Answers each request on its own: what one leaves behind for the next is with the client, sealed."""

    def __init__(self, server: Server[None], tools: Mapping[str, Tool], body_limit: int, key: bytes) -> None:
        self._server = server
        self._tools = tools
        self._body_limit = body_limit
        self._stamp = b"," + orjson.dumps(sdk.stamp(server))[1:-1]
        self._sessions = Sessions(key)
        self._replies = Replies()
        self._questions = Questions()
        self._work: set[asyncio.Task[web.StreamResponse]] = set()
        self._streams = Streams()
        add_listening(server, self._streams)
        add_log_level(server, self._sessions)
        seal_state(server, key)

    @property
    def held(self) -> int:
        """What is held for clients: replies in progress, open streams, requests of ours that wait for an answer."""
        return len(self._replies) + len(self._streams) + len(self._questions)

    def add_routes(self, app: web.Application, path: str) -> None:
        """Serve at a path."""
        app.router.add_post(path, self.post)
        app.router.add_get(path, self.get, allow_head=False)
        app.router.add_delete(path, self.delete)

    def changed(self) -> None:
        """Tell the clients that listen that the lists are others now."""
        for news in CHANGES:
            self._streams.tell(news)

    def close(self) -> None:
        """End the streams that are open for news; calls in progress go on."""
        self._streams.close()

    def stop(self) -> None:
        """Cut off what goes on without a connection."""
        for work in self._work:
            work.cancel()

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Take one message."""
        try:
            streams = _check_headers(request)
            decoded = decode(await read(request, self._body_limit))
            message = sdk.read_message(decoded)
            session = self._session(request)
            if not isinstance(message, JSONRPCRequest):
                self._take(message, session, request)
                return web.Response(status=202)
        except Refusal as refusal:
            return _refused(refusal)
        except MCPError as error:
            return _error(None, error.error, sdk.rejection_status(error.error))
        try:
            exchange = sdk.classify(message, decoded, request.headers, session)
        except MCPError as error:
            return _error(message.id, error.error, sdk.rejection_status(error.error))
        if message.method == LISTEN and exchange.stateless and not streams:
            return _refused(Refusal(406, "the client must accept text/event-stream"))
        reply = Reply(request, exchange, streams=streams)
        if streams and message.method == "tools/call" and sdk.may_resume(exchange) and self._tool(exchange) is None:
            return await self._reply_apart(reply)
        return await self._reply(reply)

    def _tool(self, exchange: sdk.Exchange) -> Tool | None:
        if exchange.request.method != "tools/call" or not exchange.request.params:
            return None
        name = exchange.request.params.get("name")
        return self._tools.get(name) if isinstance(name, str) else None

    def _session(self, request: web.Request) -> Session | None:
        sealed = request.headers.get(HEADER)
        if sealed is None:
            return None
        try:
            return self._sessions.find(sealed)
        except EndedError:
            raise Refusal(404, "this session has been ended by its client") from None

    def _take(self, message: sdk.Notice, session: Session | None, request: web.Request) -> None:
        version = sdk.check_version(request.headers)
        if isinstance(message, JSONRPCNotification):
            cancelled = sdk.cancelled_request(message)
            if session is not None and cancelled is not None:
                self._replies.cancel(session.id, cancelled)
        elif sdk.is_stateless(version) or not self._questions.answer(session, message):
            raise MCPError(INVALID_REQUEST, "no request waits for this answer here")

    async def _reply_apart(self, reply: Reply) -> web.StreamResponse:
        """Reply by a task of its own, which goes on when a handler has the stream ended."""
        reply.parted = asyncio.Event()
        reply.task = work = asyncio.create_task(self._reply(reply))
        self._work.add(work)
        work.add_done_callback(self._work.discard)
        parted = asyncio.create_task(reply.parted.wait())
        try:
            await asyncio.wait({work, parted}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            work.cancel()
            raise
        finally:
            parted.cancel()
        return await (reply.abandon() if reply.parted.is_set() else work)

    async def _reply(self, reply: Reply) -> web.StreamResponse:
        self._replies.enter(reply)
        token = carry(reply.exchange.request.params)
        try:
            return await self._answer(reply)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not reply.cancelled or task is None or task.uncancel():
                raise
            return await reply.abandon()
        finally:
            self._replies.leave(reply)
            if token is not None:
                TRACE_CONTEXT.reset(token)

    async def _answer(self, reply: Reply) -> web.StreamResponse:
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
            data = unexpected(exchange.request.method, exchange.request.params, error)
        else:
            body = b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (orjson.dumps(exchange.request.id), result)
            return await reply.finish(body, headers=headers)
        return await reply.finish(_error_body(exchange.request.id, data), exchange.status(data))

    async def _initialize(self, reply: Reply) -> tuple[bytes, Mapping[str, str]]:
        result = await sdk.serve(self._server, reply, self._questions)
        params = reply.exchange.request.params or {}
        sealed = self._sessions.begin(result["protocolVersion"], params["capabilities"])
        return orjson.dumps(result), {HEADER: sealed}

    async def _result(self, reply: Reply) -> bytes:
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

    async def _serve(self, reply: Reply, params: Mapping[str, Any]) -> dict[str, Any]:
        request = reply.exchange.request
        if request.method == "tools/call" and self._server.get_request_handler("tools/call") is None:
            reply.exchange.check()
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {params['name'][:LONGEST]}")
        return await sdk.serve(
            self._server,
            reply,
            self._questions,
            log_level=self._handler_level(reply.exchange),
            part=partial(self._replies.part, reply) if reply.parted is not None else None,
        )

    def _handler_level(self, exchange: sdk.Exchange) -> str | None:
        # Before a client has set a level, the revisions with a handshake leave it to the server what to send.
        return self._log_level(exchange) or (None if exchange.stateless else "debug")

    def _log_level(self, exchange: sdk.Exchange) -> str | None:
        """The least severe log message that a client has asked for; None when it has not."""
        return exchange.log_level if exchange.stateless else self._sessions.level(exchange.session)

    async def _tell_flaw(self, tool: Tool, members: bytes, reply: Reply) -> None:
        if not sdk.is_wanted("warning", self._log_level(reply.exchange)):
            return
        output = orjson.loads(b"{%b}" % members).get("structuredContent")
        if tool.wraps and not reply.exchange.stateless and output is not None:
            output = output["result"]
        if output is not None and (flaw := tool.flaw(output)) is not None:
            params = {"level": "warning", "logger": tool.name, "data": flaw}
            await reply.send({"jsonrpc": "2.0", "method": "notifications/message", "params": params})

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Tell of changes, to a client of a revision with a handshake, until either side ends it."""
        try:
            self._check_old(request)
            if not sdk.accepts(request)[1]:
                raise Refusal(406, "the client must accept text/event-stream")
            rest = self._rest(request)
            return await (self._tell(request, News()) if rest is None else _send(request, rest))
        except Refusal as refusal:
            return _refused(refusal)
        except FullError:
            return _refused(Refusal(503, "too many clients listen already"))

    async def _tell(self, request: web.Request, news: News) -> web.StreamResponse:
        def hear(change: Any) -> None:
            message = change_message(change)
            if message is not None:
                news.put(message)

        unsubscribe = self._streams.subscribe(hear)
        try:
            with self._streams.place(news.close):
                return await _send(request, news)
        finally:
            unsubscribe()

    def _rest(self, request: web.Request) -> News | None:
        session, token = self._session(request), request.headers.get("Last-Event-ID")
        return self._replies.rest(session.id, token) if session is not None and token is not None else None

    async def delete(self, request: web.Request) -> web.Response:
        """End a session: nothing is kept of it but that it has ended."""
        try:
            self._check_old(request)
            session = self._session(request)
        except Refusal as refusal:
            return _refused(refusal)
        if session is not None:
            self._sessions.end(session)
        return web.Response(status=204)

    def _check_old(self, request: web.Request) -> None:
        try:
            version = sdk.check_version(request.headers)
        except MCPError as error:
            raise Refusal(400, error.error.message) from None
        if sdk.is_stateless(version):
            raise Refusal(405, f"the revision {version} knows POST alone")
        self._session(request)


async def _send(request: web.Request, news: News) -> web.StreamResponse:
    stream = EventStream(request)
    await stream.write(COMMENT)
    async for event in news:
        await stream.write(event)
        if not stream.alive:
            break
    return await stream.end()


def _check_headers(request: web.Request) -> bool:
    """Whether the client takes a stream of events too."""
    json, streams = sdk.accepts(request)
    if not json:
        raise Refusal(406, "the client must accept application/json")
    if request.content_type != JSON:
        raise Refusal(415, "the Content-Type must be application/json")
    return streams


def _refused(refusal: Refusal) -> web.Response:
    answer = _error(None, ErrorData(code=INVALID_REQUEST, message=refusal.message), refusal.status)
    if refusal.status == 405:
        answer.headers["Allow"] = "POST"
    return answer


def _error(request_id: RequestId | None, data: ErrorData, status: int) -> web.Response:
    return web.Response(body=_error_body(request_id, data), status=status, content_type=JSON)


def _error_body(request_id: RequestId | None, data: ErrorData) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": request_id, "error": data.model_dump(exclude_none=True)})
