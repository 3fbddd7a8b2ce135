"""The trace context of a request: set while its tool is called, and reset before the response is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.typedefs import Handler

import adapter_host_mcp
from adapter_host import TRACE_CONTEXT, Host, Plugins, Settings, UpstreamUnreachableError, attach, current_call
from adapter_host.testing import FakePlugin, Running, running

from .test_stdio import initialize, request, serve_pipes

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "list-items", "_meta": {"traceparent": TRACEPARENT}},
}
ACCEPT = {"Accept": "application/json, text/event-stream"}


@pytest.mark.parametrize("error", [None, UpstreamUnreachableError("down"), RuntimeError("unexpected")], ids=repr)
async def test_trace_context_is_reset_after_a_call(shop_document: dict[str, Any], error: Exception | None) -> None:
    during: list[Mapping[str, str] | None] = []
    after: list[Mapping[str, str] | None] = []

    def call(_: dict[str, Any]) -> dict[str, Any]:
        during.append(TRACE_CONTEXT.get())
        if error is not None:
            raise error
        return {}

    @web.middleware
    async def record_context(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        after.append(TRACE_CONTEXT.get())
        return response

    plugins = Plugins({"mcp": adapter_host_mcp, "fake": FakePlugin()})
    host = Host(shop_document, plugins=plugins, settings=Settings(environment={}))
    Running(host).fake("stock").responses["list"] = call
    app = web.Application(middlewares=[record_context])
    attach(app, host)
    async with (
        TestClient(TestServer(app)) as client,
        client.post("/shop/mcp", json=CALL, headers=ACCEPT) as response,
    ):
        assert response.status == 200
    assert (during, after) == ([{"traceparent": TRACEPARENT}], [None])


@pytest.mark.parametrize("fast", [True, False])
async def test_meta_of_a_request_is_that_of_its_calls_only(shop_document: dict[str, Any], fast: bool) -> None:
    keys: list[tuple[str | None, str]] = []
    async with running(shop_document) as served:

        def respond(_: Any) -> Any:
            keys.append((current_call().idempotency_key, current_call().request_id))
            return {}

        served.fake("stock").responses["list"] = respond
        # The SDK handles requests with unknown keys.
        extra = {} if fast else {"example/other": 1}
        async with aiohttp.ClientSession(headers={**ACCEPT, "X-Request-Id": "request-1"}) as session:
            for meta in ({"adapter-host/idempotencyKey": "k-1", **extra}, extra):
                call = {**CALL, "params": {"name": "list-items", "_meta": meta}}
                async with session.post(served.url("shop"), json=call, headers={"Idempotency-Key": "h-1"}) as response:
                    assert (await response.json(content_type=None))["result"]["isError"] is False
    assert keys == [("k-1", "request-1"), ("h-1", "request-1")]


async def test_meta_of_a_request_over_stdio() -> None:
    keys: list[str | None] = []
    async with serve_pipes() as client:
        client.stock.responses["get"] = lambda _: keys.append(current_call().idempotency_key)
        client.send(initialize())
        await client.receive()
        for meta in ({"adapter-host/idempotencyKey": "k-1"}, {}):
            client.send(request("tools/call", 1, name="get", arguments={}, _meta=meta))
            await client.receive()
    assert keys == ["k-1", None]
