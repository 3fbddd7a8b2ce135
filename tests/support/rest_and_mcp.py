"""One consumed HTTP API, exposed over REST and over MCP, on real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import orjson
import yaml
from aiohttp import web
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent

from adapter_host.testing import Running, running

from .upstream import Api, Response, send, serving_api

Data = dict[str, Any]


def document(
    base: str,
    resources: Sequence[Data] = (),
    *,
    rest: Sequence[Data] = (),
    tools: Sequence[Data] = (),
    consumer: Mapping[str, Any] | None = None,
    exposer: Mapping[str, Any] | None = None,
    schemas: Mapping[str, Any] | None = None,
    **more: Any,
) -> Data:
    """Return a document that consumes `api`, and exposes `site` over REST and `agent` over MCP if they have content."""
    both = {"port": 0, **(exposer or {})}
    exposes = [
        {"type": "rest", "namespace": "site", "resources": list(rest), **both},
        {"type": "mcp", "namespace": "agent", "tools": list(tools), **both},
    ]
    binds = more.pop("binds", [])
    api = {"type": "http", "namespace": "api", "baseUri": base, "resources": list(resources), **(consumer or {})}
    offered = [each for each in exposes if each.get("resources") or each.get("tools")]
    return {
        "naftiko": "1.0.0-alpha2",
        "binds": binds,
        **({"x-schemas": dict(schemas)} if schemas else {}),
        "capability": {"consumes": [api], "exposes": offered, **more},
    }


def operation(name: str = "do", method: str = "GET", **keys: Any) -> Data:
    """Return a consumed operation."""
    return {"name": name, "method": method, **keys}


def resource(path: str, *operations: Data, **keys: Any) -> Data:
    """Return a resource, consumed or exposed."""
    return {"path": path, "operations": list(operations), **keys}


def given(name: str, place: str | None = None, **keys: Any) -> Data:
    """Return an input."""
    return {"name": name, **({"in": place} if place else {}), **keys}


def tool(name: str = "do", **keys: Any) -> Data:
    """Return a tool."""
    return {"name": name, "description": "Does it", **keys}


@dataclass
class ToolResult:
    """The result of a tool call."""

    failed: bool
    text: str

    @property
    def data(self) -> Any:
        return orjson.loads(self.text)


@dataclass
class Offered:
    """The API, and the served document that exposes it."""

    api: Api
    served: Running

    def respond_with(self, data: Any, *, status: int = 200, media_type: str = "application/json") -> None:
        """Set the API's responses from now on: bytes and text unchanged, other values as JSON."""
        body = data if isinstance(data, bytes) else data.encode() if isinstance(data, str) else orjson.dumps(data)

        async def reply(_: web.Request) -> web.Response:
            return web.Response(status=status, body=body, content_type=media_type)

        self.api.reply = reply

    async def rest(self, method: str, path: str, **sent: Any) -> Response:
        """Send a request to a route."""
        async with aiohttp.ClientSession() as session:
            return await send(session, method, self.served.url("site") + path, **sent)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Yield the official MCP client."""
        async with (
            httpx2.AsyncClient() as http_client,
            Client(streamable_http_client(self.served.url("agent"), http_client=http_client)) as client,
        ):
            yield client

    async def tools(self) -> dict[str, Data]:
        """Return the listed tools by name, in wire format."""
        async with self.client() as client:
            listed = (await client.list_tools()).tools
        return {each.name: each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in listed}

    async def tool(self, name: str, arguments: Mapping[str, Any] | None = None) -> ToolResult:
        """Call a tool."""
        async with self.client() as client:
            result = await client.call_tool(name, dict(arguments or {}))
        (content,) = result.content
        assert isinstance(content, TextContent)
        return ToolResult(bool(result.is_error), content.text)


@asynccontextmanager
async def offering(
    *resources: Data,
    below: str = "",
    settings: Mapping[str, Any] | None = None,
    folder: Path | None = None,
    **keys: Any,
) -> AsyncIterator[Offered]:
    """Serve a document, as a file in `folder` if set; other arguments are those of `document`."""
    async with serving_api() as api:
        made: Any = document(api.url + below, resources, **keys)
        if folder is not None:
            path = folder / "capability.yaml"
            path.write_text(yaml.safe_dump(made))
            made = path
        async with running(made, **(settings or {})) as served:
            yield Offered(api, served)
