"""A served document: its responses, and the requests that its API receives."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import aiohttp
import httpx2
from aiohttp import web
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from adapter_host import Host
from adapter_host.cli import main
from adapter_host.document import Source
from adapter_host.testing import Running, running

API = "http://api.test"
"""The base URI in documents, replaced by the echo's."""


@dataclass(frozen=True)
class RestResponse:
    """A response over REST."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def data(self) -> Any:
        return json.loads(self.text)


@dataclass
class Echo:
    """An API that responds with the request, or with one of `responses` by path."""

    responses: Mapping[str, Any]
    url: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)

    @property
    def last(self) -> dict[str, Any]:
        return self.seen[-1]

    async def serve(self, request: web.Request) -> web.Response:
        self.seen.append(
            {
                "method": request.method,
                "path": request.path,
                "query": {key: request.query.getall(key) for key in request.query},
                "headers": {name.lower(): value for name, value in request.headers.items()},
                "cookies": dict(request.cookies),
                "body": await request.text(),
            }
        )
        data = self.responses.get(request.path, self.last)
        return web.Response(body=data) if isinstance(data, bytes) else web.json_response(data)


@asynccontextmanager
async def echo(responses: Mapping[str, Any]) -> AsyncIterator[Echo]:
    """Yield the API on a free port."""
    api = Echo(responses)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    api.url = "http://{}:{}".format(*runner.addresses[0][:2])
    try:
        yield api
    finally:
        await runner.cleanup()


@dataclass
class Served:
    """A served document: `web` is its REST exposer, `agents` its MCP exposer, and `api` the consumed API."""

    running: Running
    api: Echo
    session: aiohttp.ClientSession

    @property
    def host(self) -> Host:
        return self.running.host

    async def rest(self, request: str, *, of: str = "web", **sent: Any) -> RestResponse:
        """Return the response to a request such as `GET /ships?flag=NO`."""
        method, _, target = request.partition(" ")
        async with self.session.request(method, self.running.url(of) + target, **sent) as response:
            return RestResponse(response.status, response.headers, await response.text())

    async def sent(self, request: str, **sent: Any) -> dict[str, Any]:
        """Return the request that the API receives for a caller's request."""
        response = await self.rest(request, **sent)
        assert response.status == 200, response.text
        return self.api.last

    async def openapi(self) -> Any:
        """Return the description of the REST exposer."""
        return (await self.rest("GET /openapi.json")).data

    @asynccontextmanager
    async def client(self, of: str = "agents", **headers: str) -> AsyncIterator[Client]:
        """Yield the official MCP client."""
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            Client(streamable_http_client(self.running.url(of), http_client=http)) as client,
        ):
            yield client

    async def tools(self) -> dict[str, Any]:
        """Return the listed tools by name, in wire format."""
        async with self.client() as client:
            return {tool.name: dumped(tool) for tool in (await client.list_tools()).tools}

    async def tool(self, name: str, **arguments: Any) -> Any:
        """Return a tool's result."""
        async with self.client() as client:
            result = await client.call_tool(name, arguments)
        text = dumped(result.content[0])["text"]
        assert not result.is_error, text
        return json.loads(text)


def dumped(model: Any) -> dict[str, Any]:
    """Return a model in wire format."""
    return cast(dict[str, Any], model.model_dump(mode="json", by_alias=True, exclude_none=True))


@asynccontextmanager
async def served(
    document: Any,
    *,
    responses: Mapping[str, Any] | None = None,
    folder: Path | None = None,
    files: Mapping[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[Served]:
    """Serve a document whose API is an echo; from a file in `folder` with `files` next to it, if set."""
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(echo(responses or {}))
        source = _called_at(api.url, document)
        if folder is not None:
            for name, other in (files or {}).items():
                (folder / name).write_text(json.dumps(_called_at(api.url, other)))
            file = folder / "capability.yaml"
            file.write_text(json.dumps(source))
            source = file
        host = await stack.enter_async_context(running(source, **settings))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Served(host, api, session)


def _called_at(url: str, document: Any) -> Any:
    return json.loads(json.dumps(parsed(document)).replace(API, url))


def parsed(document: Any) -> Any:
    """Return a document as data."""
    return Source.parse(document, "capability.yaml").data if isinstance(document, str) else document


def inspected(document: Any, folder: Path) -> Any:
    """Return the output of `adapter-host inspect` for a document."""
    file = folder / "capability.yaml"
    file.write_text(json.dumps(parsed(document)))
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main(["inspect", "--format", "json", str(file)]) == 0
    return json.loads(out.getvalue())
