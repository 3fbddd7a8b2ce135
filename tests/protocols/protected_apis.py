"""APIs that need a credential, one for each type of consumer, and an authorization server that issues tokens."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import grpc
from aiohttp import web
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet
from mcp.server.mcpserver import MCPServer

from adapter_host import discover
from tests.support.asgi_servers import uvicorn_serving

Challenges = Mapping[str, str]


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Any]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class TokenServer:
    """Issues the tokens `t1`, `t2` and so on to one client."""

    def __init__(self) -> None:
        self.url = ""
        self.client = ("clerk", "s3cr3t")
        self.expires_in = 3600.0
        self.issued = 0
        self.requests: list[dict[str, list[str]]] = []
        self.held: asyncio.Event | None = None

    async def serve(self, request: web.Request) -> web.Response:
        self.requests.append(parse_qs(await request.text()))
        if self.held is not None:
            await self.held.wait()
        pair = b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        if tuple(map(unquote_plus, pair.split(":"))) != self.client:
            return web.json_response({"error": "invalid_client", "error_description": pair}, status=401)
        self.issued += 1
        return web.json_response({"access_token": f"t{self.issued}", "expires_in": self.expires_in})

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[TokenServer]:
        async with serving(self.serve) as url:
            self.url = f"{url}/token"
            yield self


class ProtectedApi(ABC):
    """An API with one operation, which writes and returns a text; `accepts` decides about each request."""

    operation: str
    discovers = True

    def __init__(self) -> None:
        self.sent: list[str | None] = []
        self.executed = 0
        self.accepts: Callable[[str | None], bool] = lambda _: True
        self.url = ""

    def admits(self, authorization: str | None) -> bool:
        self.sent.append(authorization)
        return self.accepts(authorization)

    @property
    def distinct(self) -> list[str | None]:
        """The credentials of all requests, each once."""
        return [*dict.fromkeys(self.sent)]

    @abstractmethod
    def entry(self) -> dict[str, Any]:
        """Return the keys of its consumer."""

    @abstractmethod
    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        yield

    async def definitions(self, document: Any, settings: Any) -> Mapping[str, Any]:
        return await discover(document, settings=settings) if self.discovers else {}


class HttpApi(ProtectedApi):
    operation = "api.write"
    discovers = False

    def entry(self) -> dict[str, Any]:
        body = {"type": "json", "data": {"text": "{{text}}"}}
        declared = {
            "name": "write",
            "method": "POST",
            "body": body,
            "inputParameters": [{"name": "text", "in": "body"}],
        }
        return {"type": "http", "baseUri": self.url, "resources": [{"path": "/notes", "operations": [declared]}]}

    async def respond(self, request: web.Request) -> web.Response:
        if not self.admits(request.headers.get("Authorization")):
            return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        self.executed += 1
        return web.json_response(await request.json())

    async def read(self, request: web.Request) -> web.Response:
        return web.Response(text="read", status=200 if self.admits(request.headers.get("Authorization")) else 401)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        async with serving(self.respond) as self.url:
            yield


def notes_file() -> FileDescriptorProto:
    file = FileDescriptorProto(name="notes.proto", package="acme", syntax="proto3")
    text = file.message_type.add(name="Note").field.add(name="text", number=1)
    text.type, text.label = FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.LABEL_OPTIONAL
    service = file.service.add(name="Notes")
    service.method.add(name="Write", input_type=".acme.Note", output_type=".acme.Note")
    service.method.add(name="Watch", input_type=".acme.Note", output_type=".acme.Note", server_streaming=True)
    return file


class GrpcApi(ProtectedApi):
    operation = "api.Notes.Write"
    discovers = False

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.responses_before_the_refusal = 0
        self._descriptors = folder / "notes.pb"
        self._descriptors.write_bytes(FileDescriptorSet(file=[notes_file()]).SerializeToString())

    def entry(self) -> dict[str, Any]:
        return {"type": "grpc", "baseUri": self.url, "descriptorSet": f"file://{self._descriptors}"}

    async def write(self, request: bytes, context: Any) -> bytes:
        if not self.admits(dict(context.invocation_metadata()).get("authorization")):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no")
        self.executed += 1
        return request

    async def watch(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        admitted = self.admits(dict(context.invocation_metadata()).get("authorization"))
        for _ in range(1 if admitted else self.responses_before_the_refusal):
            yield request
        if not admitted:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no")

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        server = grpc.aio.server()
        methods: dict[str, Any] = {
            "Write": grpc.unary_unary_rpc_method_handler(self.write),
            "Watch": grpc.unary_stream_rpc_method_handler(self.watch),
        }
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("acme.Notes", methods)])
        self.url = f"grpc://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        try:
            yield
        finally:
            await server.stop(None)


class McpApi(ProtectedApi):
    operation = "api.write"

    def __init__(self) -> None:
        super().__init__()
        self.challenges: Challenges = {"WWW-Authenticate": "Bearer"}
        self.targets: list[str] = []
        server = self._server = MCPServer("notes", version="1.0")

        @server.tool(structured_output=False)
        def write(text: str) -> str:
            """Write a text."""
            self.executed += 1
            return text

    def entry(self) -> dict[str, Any]:
        return {"type": "mcp", "url": self.url}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        app = self._server.streamable_http_app()

        async def gate(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                self.targets.append(f"{scope['path']}?{scope['query_string'].decode()}")
                authorization = dict(scope["headers"]).get(b"authorization")
                if not self.admits(None if authorization is None else authorization.decode()):
                    headers = [(name.encode(), text.encode()) for name, text in self.challenges.items()]
                    await send({"type": "http.response.start", "status": 401, "headers": headers})
                    await send({"type": "http.response.body", "body": b"no"})
                    return
            await app(scope, receive, send)

        async with uvicorn_serving(gate) as url:
            self.url = f"{url}/mcp"
            yield
