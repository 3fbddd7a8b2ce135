"""An upstream API, and documents that consume it and have a control exposer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer


class Api:
    """An upstream API that records the headers of each request, and responds with `status`."""

    def __init__(self) -> None:
        self.url = ""
        self.headers: list[dict[str, str]] = []
        self.status = 200

    async def respond(self, request: web.Request) -> web.Response:
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        return web.json_response([{"id": 1}], status=self.status)


@asynccontextmanager
async def served_api() -> AsyncIterator[Api]:
    api = Api()
    app = web.Application()
    app.router.add_get("/{path:.*}", api.respond)
    async with TestServer(app) as server:
        api.url = f"http://127.0.0.1:{server.port}"
        yield api


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with served_api() as api:
        yield api


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def consumed_api(url: str, **more: Any) -> dict[str, Any]:
    """Return the consumed API, with `api.list`, and `api.find` with a key in its query."""
    key = {"name": "key", "in": "query", "value": "k3y-in-the-query"}
    find = {"name": "find", "method": "GET", "path": "/things/{id}", "inputParameters": [key]}
    operations = [{"name": "list", "method": "GET"}, find]
    resource = {"name": "things", "path": "/things", "operations": operations}
    return {"type": "http", "namespace": "api", "baseUri": url, "resources": [resource], **more}


def rest(*operations: dict[str, Any], namespace: str = "shop", **more: Any) -> dict[str, Any]:
    """Return a REST exposer of `GET /things`, or of other operations at the path."""
    listed = list(operations) or [{"method": "GET", "name": "list-things", "call": "api.list"}]
    return {
        "type": "rest",
        "namespace": namespace,
        "port": 0,
        "resources": [{"path": "/things", "operations": listed}],
        **more,
    }


def mcp(*tools: dict[str, Any]) -> dict[str, Any]:
    """Return an MCP exposer of the tool `list-things`, or of other tools."""
    listed = list(tools) or [{"name": "list-things", "description": "Lists things", "call": "api.list"}]
    return {"type": "mcp", "namespace": "tools", "port": 0, "tools": listed}


def control(**more: Any) -> dict[str, Any]:
    """Return a control exposer."""
    return {"type": "control", "port": 0, **more}


def document(url: str, *exposers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a document that consumes the API at `url` and has these exposers."""
    capability = {"consumes": [consumed_api(url)], "exposes": list(exposers), **more}
    return {"naftiko": "1.0.0-alpha2", "info": {"label": "Shop"}, "capability": capability}
