"""The consumer of MCP servers passes the contract tests of consumers, in both eras of the protocol."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, ClassVar

from aiohttp import web

from adapter_host import (
    UpstreamDisconnectedError,
    UpstreamError,
    UpstreamIncompleteError,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from adapter_host.testing import ConsumerContract, Example, Hold

TOOL = {
    "name": "read",
    "inputSchema": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]},
}
LIMIT = 4096


class TestHandshake(ConsumerContract):
    """A server in plain HTTP, so that it can fail in every way."""

    version: ClassVar[str] = "handshake"
    examples = (Example("read", {"id": 7}, {"id": 7}), Example("read", {"id": 8}, {"id": 8}))
    settings = MappingProxyType({"response_limit": LIMIT})
    failure_settings = MappingProxyType({"total_timeout": 0.5})
    failures = (
        UpstreamStatusError,
        UpstreamInvalidError,
        UpstreamTimeoutError,
        UpstreamUnreachableError,
        UpstreamDisconnectedError,
        UpstreamIncompleteError,
    )

    @asynccontextmanager
    async def api(self) -> AsyncIterator[Mapping[str, Any]]:
        self._failing: type[UpstreamError] | None = None
        self._held: Hold | None = None
        app = web.Application()
        app.router.add_post("/mcp", self._serve)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        yield {
            "type": "mcp",
            "namespace": "api",
            "url": f"http://{host}:{port}/mcp",
            "protocolVersion": self.version,
        }
        await self._runner.cleanup()

    def override(self, entry: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
        return {**entry, "url": "http://127.0.0.1:1/mcp"}, entry["url"]

    async def fail(self, error: type[UpstreamError]) -> None:
        self._failing = error
        if error is UpstreamUnreachableError:
            await self._runner.cleanup()

    async def hold(self) -> Hold:
        self._held = Hold()
        return self._held

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        message = await request.json()
        if message["method"] == "notifications/cancelled" and self._held is not None:
            # The handshake era cancels by a message, as a lost connection may come back.
            self._held.cancelled.set()
        if "id" not in message:
            return web.Response(status=202)
        if message["method"] == "tools/call":
            return await self._call(request, message)
        results: dict[str, dict[str, Any]] = {
            "initialize": {
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "s", "version": "1"},
            },
            "server/discover": {
                "supportedVersions": ["2026-07-28"],
                "capabilities": {"tools": {}},
                "resultType": "complete",
                "ttlMs": 0,
                "cacheScope": "public",
            },
            "tools/list": {"tools": [TOOL], **self._complete, "ttlMs": 0, "cacheScope": "public"},
        }
        return _response(message, results[message["method"]])

    @property
    def _complete(self) -> dict[str, Any]:
        return {} if self.version == "handshake" else {"resultType": "complete"}

    async def _call(self, request: web.Request, message: Any) -> web.StreamResponse:
        if self._held is not None or self._failing is UpstreamTimeoutError:
            await (self._held or Hold())({})
        if self._failing is UpstreamDisconnectedError:
            assert request.transport is not None
            request.transport.close()
        if self._failing is UpstreamIncompleteError:
            return await _cut_off(request)
        if self._failing is UpstreamInvalidError:
            return web.json_response({"x": "x" * LIMIT})
        if self._failing is UpstreamStatusError:
            return web.Response(text="no", status=503)
        content = [{"type": "text", "text": json.dumps(message["params"]["arguments"])}]
        return _response(message, {"content": content, **self._complete})


class TestStateless(TestHandshake):
    version = "2026-07-28"


def _response(message: Any, result: dict[str, Any]) -> web.Response:
    return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": result})


async def _cut_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b"{")
    assert request.transport is not None
    request.transport.close()
    return response
