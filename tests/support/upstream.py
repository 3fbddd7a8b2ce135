"""A mock upstream API on a real socket: it records requests, and sends configurable responses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL


@dataclass
class RecordedRequest:
    """A recorded request; `target` is its path and query, unchanged."""

    method: str
    target: str
    headers: CIMultiDict[str]
    body: bytes


@dataclass
class Api:
    """A mock API: records requests, and responds with `reply` after reading the request, by default `{"ok": true}`.

    If `stream` is set, it responds instead, before the request body has been read.
    """

    url: str = ""
    seen: list[RecordedRequest] = field(default_factory=list)
    reply: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None
    stream: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None

    @property
    def last(self) -> RecordedRequest:
        return self.seen[-1]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        target = request.raw_path if request.raw_path.startswith("/") else str(request.rel_url)
        seen = RecordedRequest(request.method, target, CIMultiDict(request.headers), b"")
        self.seen.append(seen)
        if self.stream is not None:
            return await self.stream(request)
        seen.body = await request.read()
        return web.json_response({"ok": True}) if self.reply is None else await self.reply(request)


@asynccontextmanager
async def serving_api() -> AsyncIterator[Api]:
    """Serve an API on a free loopback port."""
    api = Api()
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:[\\s\\S]*}", api.serve)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1)
    api.url = str(server.make_url("")).rstrip("/")
    try:
        yield api
    finally:
        await server.close()


@dataclass
class Response:
    """A received response."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def data(self) -> Any:
        return orjson.loads(self.body)


async def send(session: ClientSession, method: str, url: str, **given: Any) -> Response:
    """Send a request to a URL as written, without following redirects."""
    given.setdefault("allow_redirects", False)
    async with session.request(method, URL(url, encoded=True), **given) as response:
        return Response(response.status, response.headers, await response.read())


async def send_raw(url: str, request: bytes) -> bytes:
    """Send bytes to the address of a URL, with `{host}` filled in, and read until the connection closes."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(request.replace(b"{host}", parts.netloc.encode()))
    await writer.drain()
    response = await reader.read()
    writer.close()
    await writer.wait_closed()
    return response
