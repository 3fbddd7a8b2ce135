"""The HTTP consumer passes the contract tests of consumers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

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

_ID = {"name": "id", "in": "path", "type": "integer"}
_UNITS = {"name": "units", "in": "query", "type": "string"}


class TestHttp(ConsumerContract):
    examples = (
        Example("read", {"id": 7, "units": "F"}, {"path": "/stations/7", "query": {"units": "F"}, "body": ""}),
        Example("read", {"id": 8}, {"path": "/stations/8", "query": {}, "body": ""}),
        Example("rename", {"id": 7, "name": "Vardø"}, {"path": "/stations/7", "query": {}, "body": '{"name":"Vardø"}'}),
    )
    settings = MappingProxyType({"response_limit": 4096})
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
        self._padding = 0
        app = web.Application()
        app.router.add_route("*", "/stations/{id}", self._serve)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        operations = [
            {"name": "read", "method": "GET", "inputParameters": [_ID, _UNITS]},
            {"name": "rename", "method": "PUT", "inputParameters": [_ID, {"name": "name", "in": "body"}]},
        ]
        yield {
            "type": "http",
            "namespace": "api",
            "baseUri": f"http://{host}:{port}",
            "resources": [{"name": "station", "path": "/stations/{id}", "operations": operations}],
        }
        await self._runner.cleanup()

    async def fail(self, error: type[UpstreamError]) -> None:
        self._failing = error
        if error is UpstreamUnreachableError:
            await self._runner.cleanup()

    async def hold(self) -> Hold:
        self._held = Hold()
        return self._held

    async def enlarge(self, size: int) -> None:
        self._padding = size

    def override(self, entry: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
        return {**entry, "baseUri": "http://127.0.0.1:1"}, entry["baseUri"]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if self._held is not None or self._failing is UpstreamTimeoutError:
            await (self._held or Hold())({**request.match_info})
        if self._failing is UpstreamDisconnectedError:
            assert request.transport is not None
            request.transport.close()
        if self._failing is UpstreamIncompleteError:
            return await _cut_off(request)
        if self._failing is UpstreamInvalidError:
            return web.Response(text="x" * 4097)
        if self._failing is UpstreamStatusError:
            return web.json_response({"error": "no"}, status=500)
        body = await request.text() + " " * self._padding
        return web.json_response({"path": request.path, "query": dict(request.query), "body": body})


async def _cut_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"{")
    assert request.transport is not None
    request.transport.close()
    return response
