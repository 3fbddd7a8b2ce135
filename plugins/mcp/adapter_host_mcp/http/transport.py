"""The endpoint `/mcp`: Streamable HTTP, of every revision.

What is plainly right is answered here. The rest is the SDK's, which is imported when the first of it comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson
from aiohttp import web

from adapter_host import TRACE_CONTEXT
from adapter_host_mcp.discovery import ServerInfo
from adapter_host_mcp.features.tool_results import call_tool, set_trace_context, unexpected
from adapter_host_mcp.features.tools import Tool
from adapter_host_mcp.protocol import HANDSHAKE, JSON, STATELESS, VERSION

from .fast_path import Message, accepts, is_identity, is_notification, parse
from .fast_path import read as read_message
from .request import RefusalError, check_headers, read, refusal_response
from .response import ResponseStream
from .sessions import HEADER, Session
from .state import ServerState

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler


_UNDERSTOOD: Final = frozenset({None, STATELESS, *HANDSHAKE})


CHANGES: Final = (
    "notifications/tools/list_changed",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
)
"""What is told after a reload: every list may be another one."""


class SdkEndpoint(Protocol):
    """The server built on the SDK, which takes every message that the fast path does not."""

    @property
    def client_requests(self) -> int:
        """The requests to clients that wait for a response."""

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Take one message."""

    async def take(self, request: web.Request, body: bytes, *, streams: bool) -> web.StreamResponse:
        """Take the message in a body that has been read."""

    def stop(self) -> None:
        """Cancel what goes on without a connection."""


class HttpTransport:
    """Answers each request on its own, by itself or by the endpoint that `make` builds.

    Without a `server_info` everything is the endpoint's. `import_sdk` imports what `make` needs, and runs in a thread.
    """

    def __init__(
        self,
        state: ServerState,
        tools: Mapping[str, Tool],
        server_info: ServerInfo | None,
        make: Callable[[ServerState], SdkEndpoint],
        import_sdk: Callable[[], object],
    ) -> None:
        self._state = state
        self._tools = tools
        self._server_info = server_info
        self._make = make
        self._import_sdk = import_sdk
        self._importing = asyncio.Lock()
        self._endpoint: SdkEndpoint | None = None
        self._path = ""

    @property
    def held(self) -> int:
        """What is held for clients: replies in progress, open streams, requests of ours that wait for an answer."""
        client_requests = self._endpoint.client_requests if self._endpoint is not None else 0
        return len(self._state.active_responses) + len(self._state.streams) + client_requests

    def app(self, path: str) -> web.Application:
        """Return an application that serves it at a path."""
        app = web.Application()
        resource = app.router.add_resource(path)
        resource.add_route("POST", self.post)
        resource.add_route("GET", self.get)
        resource.add_route("DELETE", self.delete)

        async def find_path(_: web.Application) -> None:
            # Where it is mounted is known once it starts.
            self._path = resource.canonical

        app.on_startup.append(find_path)
        return app

    def direct_handler(self, request: web.Request) -> Handler | None:
        """Who answers a request, if it is one of those that come most."""
        return self.post if request.method == "POST" and request.rel_url.raw_path == self._path else None

    def load(self) -> SdkEndpoint:
        """Return the endpoint, built on the SDK; raises `StartError` for tools that it cannot offer."""
        self._endpoint = self._endpoint or self._make(self._state)
        return self._endpoint

    async def _loaded(self) -> SdkEndpoint:
        if self._endpoint is None:
            async with self._importing:
                # In a thread, as requests in progress must not wait for it.
                await asyncio.to_thread(self._import_sdk)
        return self.load()

    def changed(self) -> None:
        """Tell the clients that listen that the lists are others now."""
        for change in CHANGES:
            self._state.streams.tell(change)

    def close(self) -> None:
        """End the streams that are open for news; calls in progress go on."""
        self._state.streams.close()

    def stop(self) -> None:
        """Cut off what goes on without a connection."""
        if self._endpoint is not None:
            self._endpoint.stop()

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Take one message."""
        if self._server_info is None:
            return await (await self._loaded()).post(request)
        try:
            streams = check_headers(request)
            body = await read(request, self._state.body_limit)
            decoded = parse(body)
            if is_notification(decoded) and request.headers.get(VERSION) in _UNDERSTOOD:
                return self._handle_notification(decoded, self._state.session(request))
            message = read_message(decoded, request.headers, self._state.session(request))
        except RefusalError as refusal:
            return refusal_response(refusal)
        answer = None if message is None else self._answer(message, request, self._server_info, streams=streams)
        if answer is None:
            return await (await self._loaded()).take(request, body, streams=streams)
        return answer if isinstance(answer, web.Response) else await answer

    def _answer(
        self, message: Message, request: web.Request, server_info: ServerInfo, *, streams: bool
    ) -> web.Response | Awaitable[web.StreamResponse] | None:
        if message.method != "tools/call":
            return self._tell(message, server_info)
        tool = self._tools.get(message.params["name"])
        if tool is None or self._state.sessions.level(message.session) is not None:
            return None
        reply = ResponseStream(request, message, streams=streams)
        return self._state.active_responses.finish(reply, self._call(tool, message, reply, server_info))

    def _handle_notification(self, notification: Mapping[str, Any], session: Session | None) -> web.Response:
        if notification["method"] == "notifications/cancelled" and session is not None:
            cancelled = notification.get("params", {}).get("requestId")
            if is_identity(cancelled):
                self._state.active_responses.cancel(session.id, cancelled)
        return web.Response(status=202)

    def _tell(self, message: Message, server_info: ServerInfo) -> web.Response:
        headers = None
        match message.method:
            case "initialize":
                version = message.params["protocolVersion"]
                headers = {HEADER: self._state.sessions.begin(version, message.params["capabilities"])}
                result = server_info.initialized(version)
            case "server/discover":
                result = server_info.discovery
            case "tools/list":
                result = server_info.listed(stateless=message.stateless)
            case _:
                result = b"{}"
        return web.Response(body=_result(message, result), headers=headers, content_type=JSON)

    async def _call(
        self, tool: Tool, message: Message, reply: ResponseStream[Message], server_info: ServerInfo
    ) -> web.StreamResponse:
        arguments = message.params.get("arguments", {})
        token = set_trace_context(message.params)
        try:
            members = await call_tool(tool, arguments, reply.headers, any_output=message.stateless)
        except Exception as error:
            # The edge of the protocol: whatever went wrong, the client is owed an answer, and no details.
            data = unexpected(message.method, message.params, error)
            return await reply.finish(orjson.dumps({"jsonrpc": "2.0", "id": message.id, "error": data}))
        finally:
            if token is not None:
                TRACE_CONTEXT.reset(token)
        result_meta = server_info.result_meta if message.stateless else b""
        return await reply.finish(_result(message, b"{%b%b}" % (members, result_meta)))

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Tell of changes, to a client of a revision with a handshake, until either side ends it."""
        try:
            _check_handshake(request)
            self._state.session(request)
            if not accepts(request)[1]:
                raise RefusalError(406, "the client must accept text/event-stream")
            return await self._state.listen(request)
        except RefusalError as refusal:
            return refusal_response(refusal)

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """End a session."""
        try:
            _check_handshake(request)
            return self._state.end(request)
        except RefusalError as refusal:
            return refusal_response(refusal)


def _check_handshake(request: web.Request) -> None:
    version = request.headers.get(VERSION)
    if version == STATELESS:
        raise RefusalError(405, f"the revision {version} knows POST alone")
    if version is not None and version not in HANDSHAKE:
        raise RefusalError(400, "Unsupported protocol version")


def _result(message: Message, result: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (orjson.dumps(message.id), result)
