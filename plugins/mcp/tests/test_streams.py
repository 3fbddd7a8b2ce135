"""Event streams, heartbeats, cancellation, sessions, requests to clients, and limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import mcp_types as types
import pytest
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from syrupy.assertion import SnapshotAssertion

from adapter_host import Plugins, ProblemsError, RegisterExposer, hookimpl
from adapter_host.testing import FakePlugin, Running, running
from adapter_host_mcp.exposer import McpExposer
from adapter_host_mcp.http import responses, sse
from adapter_host_mcp.sdk import client_requests

ACCEPT = {"Accept": "application/json, text/event-stream"}
STATELESS = "2026-07-28"
META = {"io.modelcontextprotocol/protocolVersion": STATELESS, "io.modelcontextprotocol/clientCapabilities": {}}
KEY = "ADAPTER_HOST_MCP_KEY"


def message(method: str, request_id: int | None = 1, **params: Any) -> dict[str, Any]:
    id_member = {} if request_id is None else {"id": request_id}
    return {"jsonrpc": "2.0", **id_member, "method": method, "params": params}


def stateless(method: str, **params: Any) -> tuple[dict[str, Any], dict[str, str]]:
    headers = {**ACCEPT, "MCP-Protocol-Version": STATELESS, "Mcp-Method": method}
    if "name" in params:
        headers["Mcp-Name"] = params["name"]
    meta = {**META, **params.pop("meta", {})}
    return message(method, _meta=meta, **params), headers


async def initialize(session: aiohttp.ClientSession, url: str, **capabilities: Any) -> dict[str, str]:
    """Send `initialize`; return the headers for further requests."""
    client = {"name": "test", "version": "1"}
    hello = message("initialize", protocolVersion="2025-11-25", capabilities=capabilities, clientInfo=client)
    async with session.post(url, json=hello, headers=ACCEPT) as response:
        assert response.content_type == "application/json"
        return {**ACCEPT, "Mcp-Session-Id": response.headers["Mcp-Session-Id"], "MCP-Protocol-Version": "2025-11-25"}


async def read_event(response: aiohttp.ClientResponse) -> Any:
    """Return the next message of a stream, None for a comment, `StopAsyncIteration` at the end."""
    event: Any = StopAsyncIteration
    async for line in response.content:
        if line == b":\n":
            event = None
        elif line.startswith(b"data: "):
            event = json.loads(line.removeprefix(b"data: "))
        elif line == b"\n":
            return event
    return event


async def read_events(response: aiohttp.ClientResponse) -> list[Any]:
    assert response.content_type == "text/event-stream"
    events = []
    while (event := await read_event(response)) is not StopAsyncIteration:
        events.append(event)
    return events


class PausedCall:
    """An upstream call that waits for `proceed` and records its cancellation."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.proceed = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, _: dict[str, Any]) -> dict[str, Any]:
        self.began.set()
        try:
            await self.proceed.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return {"late": True}


@pytest.fixture
def paused_call(shop: Any) -> PausedCall:
    shop.stock.responses["list"] = paused_call = PausedCall()
    return paused_call


@pytest.fixture
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "HEARTBEAT_INTERVAL", 0.02)
    monkeypatch.setattr(sse, "KEEP_ALIVE_INTERVAL", 0.02)


def exposer_of(served: Running) -> McpExposer:
    (status,) = served.host.status()
    assert isinstance(status.exposer, McpExposer)
    return status.exposer


async def wait_until_released(active_count: Callable[[], int], ping: Callable[[], Awaitable[Any]]) -> None:
    """Send pings until `held` returns 0."""
    async with asyncio.timeout(5):
        while active_count():
            await ping()


@pytest.mark.usefixtures("short_intervals")
async def test_long_call_sends_heartbeats(shop: Any, paused_call: PausedCall) -> None:
    call = message("tools/call", name="list-items")
    async with shop.session.post(shop.url, json=call, headers=ACCEPT) as response:
        assert (response.headers["Server"], response.headers["X-Content-Type-Options"]) == ("adapter-host", "nosniff")
        assert [await read_event(response) for _ in range(3)] == [None, None, None]
        paused_call.proceed.set()
        events = [event for event in await read_events(response) if event is not None]
    assert [event["result"]["structuredContent"] for event in events] == [{"late": True}]


@pytest.mark.usefixtures("short_intervals")
@pytest.mark.parametrize("era", ["handshake", "stateless"])
async def test_heartbeats_are_progress_with_a_progress_token(shop: Any, paused_call: PausedCall, era: str) -> None:
    if era == "stateless":
        call, headers = stateless("tools/call", name="list-items", meta={"progressToken": "p"})
    else:
        call, headers = message("tools/call", name="list-items", _meta={"progressToken": "p"}), ACCEPT
    async with shop.session.post(shop.url, json=call, headers=headers) as response:
        events = [await read_event(response) for _ in range(3)]
        paused_call.proceed.set()
        result = (await read_events(response))[-1]["result"]
    assert {event["method"] for event in events} == {"notifications/progress"}
    assert {event["params"]["progressToken"] for event in events} == {"p"}
    progress = [event["params"]["progress"] for event in events]
    assert progress == sorted(set(progress))
    assert result["structuredContent"] == {"late": True}


@pytest.mark.usefixtures("short_intervals")
@pytest.mark.parametrize(
    "accept",
    ["application/json", "*/*", "application/json, text/*", "*/*;q=0.5, text/event-stream; q=0.0"],
)
async def test_client_that_names_no_event_stream_gets_no_heartbeats(
    accept: str, shop: Any, paused_call: PausedCall
) -> None:
    async def call() -> Any:
        body = message("tools/call", name="list-items", _meta={"progressToken": "p"})
        async with shop.session.post(shop.url, json=body, headers={"Accept": accept}) as response:
            assert response.content_type == "application/json"
            return (await response.json())["result"]["structuredContent"]

    calling = asyncio.create_task(call())
    await paused_call.began.wait()
    async with shop.session.get(shop.url, headers={"Accept": "text/event-stream"}) as subscribe:
        for _ in range(4):
            await read_event(subscribe)
    paused_call.proceed.set()
    assert await calling == {"late": True}


async def test_cancel_by_request_id_within_a_session(shop: Any, paused_call: PausedCall) -> None:
    session_headers, other_headers = await initialize(shop.session, shop.url), await initialize(shop.session, shop.url)
    call = message("tools/call", 7, name="list-items")
    calling = asyncio.create_task(post_raw(shop, call, session_headers))
    await paused_call.began.wait()
    for headers, request_id in ((other_headers, 7), (session_headers, 8), ({**ACCEPT}, 7), (session_headers, "7")):
        cancel = message("notifications/cancelled", None, requestId=request_id)
        assert (await post_raw(shop, cancel, headers))[0] == 202
        assert not paused_call.cancelled.is_set()
    assert (await post_raw(shop, message("notifications/cancelled", None, requestId=7), session_headers))[0] == 202
    async with asyncio.timeout(5):
        await paused_call.cancelled.wait()
        assert await calling == (202, b"")


@pytest.mark.usefixtures("short_intervals")
async def test_cancelled_stream_ends_without_result(shop: Any, paused_call: PausedCall) -> None:
    headers = await initialize(shop.session, shop.url)
    call = message("tools/call", 7, name="list-items")
    async with shop.session.post(shop.url, json=call, headers=headers) as response:
        assert await read_event(response) is None
        await post_raw(shop, message("notifications/cancelled", None, requestId=7), headers)
        assert set(await read_events(response)) <= {None}
    assert paused_call.cancelled.is_set()


async def post_raw(shop: Any, body: Any, headers: Mapping[str, str]) -> tuple[int, bytes]:
    async with shop.session.post(shop.url, json=body, headers=headers) as response:
        return response.status, await response.read()


async def test_session_is_shared_between_processes_with_one_key(shop_document: dict[str, Any]) -> None:
    environment = {KEY: "k" * 32}
    async with (
        running(shop_document, environment=environment) as first,
        running(shop_document, environment=environment) as second,
        aiohttp.ClientSession() as session,
    ):
        headers = await initialize(session, first.url("shop"))
        second.fake("stock").responses["list"] = paused_call = PausedCall()
        call = message("tools/call", 7, name="list-items")
        calling = asyncio.create_task(post_status(session, second.url("shop"), call, headers))
        await paused_call.began.wait()
        cancel = message("notifications/cancelled", None, requestId=7)
        await post_status(session, second.url("shop"), cancel, headers)
        assert await calling == 202


async def post_status(session: aiohttp.ClientSession, url: str, body: Any, headers: Mapping[str, str]) -> int:
    async with session.post(url, json=body, headers=headers) as response:
        return response.status


@pytest.mark.parametrize("invalid_id", ["", "x", "v1.AAAA", "other"])
async def test_invalid_session_id_is_ignored(shop: Any, shop_document: dict[str, Any], invalid_id: str) -> None:
    headers = await initialize(shop.session, shop.url)
    if invalid_id == "other":
        async with running(shop_document) as other:
            headers = await initialize(shop.session, other.url("shop"))
    else:
        headers["Mcp-Session-Id"] = invalid_id
    status, response = await post_raw(shop, message("tools/call", name="get-item", arguments={"id": 7}), headers)
    assert (status, json.loads(response)["result"]["isError"]) == (200, False)


async def test_short_key_is_rejected(shop_document: dict[str, Any], snapshot: SnapshotAssertion) -> None:
    with pytest.raises(ProblemsError) as caught:
        async with running(shop_document, environment={KEY: "short"}):
            pytest.fail("it started")
    (problem,) = caught.value.problems
    assert problem.code == "weak-secret"
    assert problem.message == snapshot


async def test_deleted_session_is_rejected(shop: Any) -> None:
    session_headers, other_headers = await initialize(shop.session, shop.url), await initialize(shop.session, shop.url)
    async with shop.session.delete(shop.url, headers=session_headers) as response:
        assert response.status == 204
    ping = message("ping")
    assert [(await post_raw(shop, ping, headers))[0] for headers in (session_headers, other_headers)] == [404, 200]
    async with shop.session.get(shop.url, headers=session_headers) as response:
        assert response.status == 404


async def test_session_implies_the_version(shop: Any) -> None:
    shop.stock.responses["list"] = lambda _: [1]
    headers = await initialize(shop.session, shop.url)
    del headers["MCP-Protocol-Version"]
    _, response = await post_raw(shop, message("tools/call", name="list-items"), headers)
    assert "structuredContent" not in json.loads(response)["result"]


@asynccontextmanager
async def subscribe(session: aiohttp.ClientSession, url: str) -> AsyncIterator[aiohttp.ClientResponse]:
    """Open a stream of the stateless revision and read its acknowledgement."""
    body, headers = stateless("subscriptions/listen", notifications={"toolsListChanged": True})
    async with session.post(url, json=body, headers=headers) as response:
        assert (await read_event(response))["method"] == "notifications/subscriptions/acknowledged"
        yield response


async def test_change_notifications(shop_document: dict[str, Any]) -> None:
    async with running(shop_document) as served, aiohttp.ClientSession() as session:
        url = served.url("shop")
        async with session.get(url, headers=ACCEPT) as handshake_stream, subscribe(session, url) as stateless_stream:
            assert await read_event(handshake_stream) is None
            exposer_of(served).notify_reload()
            events = [(await read_event(handshake_stream))["method"] for _ in range(3)]
            assert events == [f"notifications/{kind}/list_changed" for kind in ("tools", "prompts", "resources")]
            event = await read_event(stateless_stream)
            assert event["method"] == "notifications/tools/list_changed"
            assert event["params"]["_meta"] == {"io.modelcontextprotocol/subscriptionId": 1}
            async with asyncio.timeout(5):
                await served.host.drain()
            assert await read_events(handshake_stream) == []
            (end,) = await read_events(stateless_stream)
            assert end["result"]["resultType"] == "complete"


async def test_subscriptions_to_single_resources_are_not_acknowledged(shop: Any) -> None:
    wanted = {"toolsListChanged": True, "resourceSubscriptions": ["shop://items"]}
    body, headers = stateless("subscriptions/listen", notifications=wanted)
    async with shop.session.post(shop.url, json=body, headers=headers) as response:
        acknowledged = await read_event(response)
    assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
    assert acknowledged["params"]["notifications"] == {"toolsListChanged": True}


async def test_disconnected_clients_release_resources(shop_document: dict[str, Any]) -> None:
    async with running(shop_document) as served, aiohttp.ClientSession() as session:
        url, paused_call, mcp = served.url("shop"), PausedCall(), exposer_of(served)
        served.fake("stock").responses["list"] = paused_call
        calling = asyncio.create_task(post_status(session, url, message("tools/call", name="list-items"), ACCEPT))
        async with session.get(url, headers=ACCEPT) as handshake_stream, subscribe(session, url) as stateless_stream:
            await paused_call.began.wait()
            await read_event(handshake_stream)
            # Two responses in progress (the call and the stateless stream) and two streams.
            assert mcp.active_count == 4
            handshake_stream.close()
            stateless_stream.close()
            calling.cancel()
        await wait_until_released(lambda: mcp.active_count, lambda: post_status(session, url, message("ping"), ACCEPT))
        assert paused_call.cancelled.is_set()


async def test_stream_count_limit(
    shop_document: dict[str, Any], monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.setattr(sse, "MAX_STREAMS", 1)
    async with running(shop_document) as served, aiohttp.ClientSession() as session:
        url = served.url("shop")
        async with subscribe(session, url):
            async with session.get(url, headers=ACCEPT) as response:
                assert response.status == 503
                assert (await response.json())["error"] == snapshot
            body, headers = stateless("subscriptions/listen", notifications={})
            async with session.post(url, json=body, headers=headers) as response:
                error = (await response.json())["error"]
        assert error["code"] == -32603
        assert error == snapshot


async def test_stream_lifetime(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "STREAM_LIFETIME", 0.0)
    async with shop.session.get(shop.url, headers=ACCEPT) as response:
        assert await read_events(response) == [None]


async def test_event_queue_size_limit() -> None:
    queue = sse.EventQueue()
    for number in range(3 * sse.MAX_QUEUED):
        queue.put(b"%d" % number)
    events = [event async for event in queue]
    assert events == [sse.format_event(b"%d" % number) for number in range(sse.MAX_QUEUED)]


@pytest.mark.parametrize(
    "accept", ["application/json", "*/*", "text/*", "text/plain", "text/event-stream;q=0, */*", None]
)
async def test_event_stream_must_be_accepted_by_name(
    shop_document: dict[str, Any], accept: str | None, snapshot: SnapshotAssertion
) -> None:
    async with running(shop_document) as served, aiohttp.ClientSession(skip_auto_headers=["Accept"]) as session:
        url = served.url("shop")
        async with session.get(url, headers={} if accept is None else {"Accept": accept}) as response:
            assert response.status == 406
            assert (await response.json())["error"] == snapshot(name="error")
        body, headers = stateless("subscriptions/listen", notifications={})
        accepted = f"application/json, {accept or '*/*'}"
        async with session.post(url, json=body, headers={**headers, "Accept": accepted}) as response:
            assert response.status == 406
        assert exposer_of(served).active_count == 0


async def test_stream_count_limit_of_a_client(
    shop_document: dict[str, Any], monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.setattr(sse, "MAX_STREAMS_PER_CLIENT", 1)
    async with running(shop_document) as served, aiohttp.ClientSession() as session:
        url = served.url("shop")
        for _ in range(2):
            async with subscribe(session, url):
                async with session.get(url, headers=ACCEPT) as response:
                    assert response.status == 503
                body, headers = stateless("subscriptions/listen", notifications={})
                async with session.post(url, json=body, headers=headers) as response:
                    assert (await response.json())["error"] == snapshot(name="error")
            await wait_until_released(
                lambda: exposer_of(served).active_count, lambda: post_status(session, url, message("ping"), ACCEPT)
            )


async def test_trusted_proxy_has_no_stream_limit_of_its_own(
    shop_document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "MAX_STREAMS_PER_CLIENT", 1)
    async with (
        running(shop_document, trusted_proxies=("127.0.0.0/8",)) as served,
        aiohttp.ClientSession() as session,
        subscribe(session, served.url("shop")),
        session.get(served.url("shop"), headers=ACCEPT) as response,
    ):
        assert response.status == 200


async def test_stream_limit_is_that_of_the_principal(
    shop_document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "MAX_STREAMS_PER_CLIENT", 1)
    (exposer,) = shop_document["capability"]["exposes"]
    own = {"type": "basic", "username": "ada", "password": "secret"}
    document = {
        **shop_document,
        "capability": {**shop_document["capability"], "exposes": [{**exposer, "authentication": own}]},
    }
    auth = {"Authorization": aiohttp.encode_basic_auth("ada", "secret")}
    async with (
        running(document, trusted_proxies=("127.0.0.0/8",)) as served,
        aiohttp.ClientSession(headers=auth) as session,
        session.get(served.url("shop"), headers=ACCEPT) as first,
        session.get(served.url("shop"), headers=ACCEPT) as second,
    ):
        assert (first.status, second.status) == (200, 503)


async def test_tools_list_is_paginated(shop_document: dict[str, Any]) -> None:
    capability = shop_document["capability"]
    (exposer_spec,) = capability["exposes"]
    names = [f"tool-{number}" for number in range(2001)]
    tools = [{"name": name, "description": "One of many", "call": "stock.list"} for name in names]
    document = {**shop_document, "capability": {**capability, "exposes": [{**exposer_spec, "tools": tools}]}}
    async with running(document) as served, aiohttp.ClientSession() as session:
        listed, cursor = [], None
        for _ in range(3):
            body = message("tools/list", **({} if cursor is None else {"cursor": cursor}))
            async with session.post(served.url("shop"), json=body, headers=ACCEPT) as response:
                result = (await response.json())["result"]
            listed.append([tool["name"] for tool in result["tools"]])
            cursor = result.get("nextCursor")
        assert (listed, cursor) == ([names[:1000], names[1000:2000], names[2000:]], None)


@pytest.mark.parametrize("requested", [True, False])
@pytest.mark.parametrize("era", ["handshake", "stateless"])
async def test_log_messages_on_request(
    shop_document: dict[str, Any], era: str, requested: bool, snapshot: SnapshotAssertion
) -> None:
    outputs = [{"type": "object", "properties": {"price": {"type": "number", "mapping": "$.price"}}}]
    capability = shop_document["capability"]
    (exposer_spec,) = capability["exposes"]
    tool = {"name": "price", "description": "A price", "call": "stock.list", "outputParameters": outputs}
    document = {**shop_document, "capability": {**capability, "exposes": [{**exposer_spec, "tools": [tool]}]}}
    async with running(document) as served, aiohttp.ClientSession() as session:
        served.fake("stock").responses["list"] = lambda _: {"price": "much"}
        url = served.url("shop")
        if era == "stateless":
            meta = {"io.modelcontextprotocol/logLevel": "info"} if requested else {}
            body, headers = stateless("tools/call", name="price", meta=meta)
        else:
            headers = await initialize(session, url)
            body = message("tools/call", name="price")
            level = message("logging/setLevel", level="warning" if requested else "error")
            assert await post_status(session, url, level, headers) == 200
        async with session.post(url, json=body, headers=headers) as response:
            if not requested:
                assert response.content_type == "application/json"
                return
            log_message, result = await read_events(response)
    params = log_message["params"]
    assert (params["level"], params["logger"]) == ("warning", "price")
    assert params["data"] == snapshot
    assert result["result"]["structuredContent"] == {"price": None}


class CustomExposer(McpExposer):
    """An exposer with its own tools: one requests the client's roots, one detaches its stream, one floods it."""

    def build_server(self) -> Server[None]:
        server = super().build_server()
        self.proceed, self.ended = asyncio.Event(), asyncio.Event()

        async def call(
            context: ServerRequestContext[None], params: types.CallToolRequestParams
        ) -> types.CallToolResult:
            if params.name in ("wait", "flood"):
                return await (self.wait if params.name == "wait" else self.flood)(context)
            result = await context.session.send_request(types.ListRootsRequest(), types.ListRootsResult)
            return types.CallToolResult(content=[types.TextContent(text=str(root.uri)) for root in result.roots])

        server.add_request_handler("tools/call", types.CallToolRequestParams, call)
        return server

    async def wait(self, context: ServerRequestContext[None]) -> types.CallToolResult:
        assert context.close_sse_stream is not None
        await context.close_sse_stream()
        try:
            await self.proceed.wait()
        finally:
            self.ended.set()
        await context.session.report_progress(1)
        return types.CallToolResult(content=[types.TextContent(text="done")])

    async def flood(self, context: ServerRequestContext[None]) -> types.CallToolResult:
        params = types.LoggingMessageNotificationParams(level="info", data="x" * 1_000_000)
        try:
            while True:
                notification = types.LoggingMessageNotification(params=params)
                await context.session.send_notification(notification, related_request_id=context.request_id)
        finally:
            self.ended.set()


class CustomPlugin:
    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("mcp", CustomExposer)


@asynccontextmanager
async def serve_custom_exposer(document: dict[str, Any]) -> AsyncIterator[tuple[Running, aiohttp.ClientSession]]:
    plugins = Plugins({"mcp": CustomPlugin(), "fake": FakePlugin()})
    async with running(document, plugins=plugins) as served, aiohttp.ClientSession() as session:
        yield served, session


async def test_handler_sends_a_request_to_the_client(shop_document: dict[str, Any]) -> None:
    async with serve_custom_exposer(shop_document) as (served, session):
        url = served.url("shop")
        session_headers, other_headers = await initialize(session, url, roots={}), await initialize(session, url)
        call = message("tools/call", name="ask")
        async with session.post(url, json=call, headers=session_headers) as response:
            client_request = await read_event(response)
            assert client_request["method"] == "roots/list"
            roots = {"jsonrpc": "2.0", "id": client_request["id"], "result": {"roots": [{"uri": "file:///home"}]}}
            for headers, status in (
                (other_headers, 400),
                (ACCEPT, 400),
                (session_headers, 202),
                (session_headers, 400),
            ):
                assert await post_status(session, url, roots, headers) == status
            (result,) = await read_events(response)
        assert result["result"]["content"] == [{"type": "text", "text": "file:///home"}]
        assert exposer_of(served).active_count == 0


async def test_client_request_errors(shop_document: dict[str, Any]) -> None:
    async with serve_custom_exposer(shop_document) as (served, session):
        url = served.url("shop")
        session_headers = await initialize(session, url, roots={})
        call = message("tools/call", name="ask")
        async with session.post(url, json=call, headers=session_headers) as response:
            client_request = await read_event(response)
            refusal = {"jsonrpc": "2.0", "id": client_request["id"], "error": {"code": -1, "message": "no roots"}}
            assert await post_status(session, url, refusal, session_headers) == 202
            (result,) = await read_events(response)
        assert result["error"] == {"code": -1, "message": "no roots"}
        async with session.post(url, json=call, headers=ACCEPT) as response:
            error = (await response.json())["error"]
        assert (error["code"], "no back-channel" in error["message"]) == (-32600, True)


async def test_client_request_times_out(
    shop_document: dict[str, Any], monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.setattr(client_requests, "TIMEOUT", 0.02)
    async with serve_custom_exposer(shop_document) as (served, session):
        session_headers = await initialize(session, served.url("shop"), roots={})
        call = message("tools/call", name="ask")
        async with session.post(served.url("shop"), json=call, headers=session_headers) as response:
            _, result = await read_events(response)
        assert result["error"] == snapshot
        assert exposer_of(served).active_count == 0


async def test_resume_a_detached_stream(shop_document: dict[str, Any]) -> None:
    async with serve_custom_exposer(shop_document) as (served, session):
        url, exposer = served.url("shop"), exposer_of(served)
        assert isinstance(exposer, CustomExposer)
        session_headers, other_headers = await initialize(session, url), await initialize(session, url)
        call = message("tools/call", name="wait", _meta={"progressToken": "p"})
        async with session.post(url, json=call, headers=session_headers) as response:
            assert response.content_type == "text/event-stream"
            head, retry, data, *_ = (await response.read()).split(b"\n")
        assert (head.startswith(b"id: "), retry, data) == (True, b"retry: 500", b"data:")
        token = head.removeprefix(b"id: ").decode()
        assert (len(token), exposer.active_count) == (16, 2)
        exposer.proceed.set()
        async with session.get(url, headers={**session_headers, "Last-Event-ID": token}) as response:
            progress, result = [event for event in await read_events(response) if event is not None]
        assert progress["params"] == {"progressToken": "p", "progress": 1}
        assert result["result"]["content"] == [{"type": "text", "text": "done"}]
        assert exposer.active_count == 0
        for headers in (session_headers, other_headers):
            async with session.get(url, headers={**headers, "Last-Event-ID": token}) as response:
                assert await read_event(response) is None
                exposer.notify_reload()
                assert (await read_event(response))["method"] == "notifications/tools/list_changed"


async def test_cancel_a_detached_call(shop_document: dict[str, Any]) -> None:
    async with serve_custom_exposer(shop_document) as (served, session):
        url, exposer = served.url("shop"), exposer_of(served)
        assert isinstance(exposer, CustomExposer)
        session_headers = await initialize(session, url)
        async with session.post(url, json=message("tools/call", 7, name="wait"), headers=session_headers) as response:
            await response.read()
        await post_status(session, url, message("notifications/cancelled", None, requestId=7), session_headers)
        await exposer.ended.wait()


async def test_detached_call_ends_with_the_host(shop_document: dict[str, Any]) -> None:
    async with serve_custom_exposer(shop_document) as (served, session):
        url, exposer = served.url("shop"), exposer_of(served)
        assert isinstance(exposer, CustomExposer)
        session_headers = await initialize(session, url)
        async with session.post(url, json=message("tools/call", name="wait"), headers=session_headers) as response:
            await response.read()
        await served.host.stop()
        await exposer.ended.wait()


async def test_client_that_stops_reading_is_disconnected(
    shop_document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "WRITE_TIMEOUT", 0.05)
    async with serve_custom_exposer(shop_document) as (served, session):
        url, exposer = served.url("shop"), exposer_of(served)
        assert isinstance(exposer, CustomExposer)
        async with session.post(url, json=message("tools/call", name="flood"), headers=ACCEPT) as response:
            assert response.status == 200
            async with asyncio.timeout(5):
                await exposer.ended.wait()
            with pytest.raises(aiohttp.ClientError):
                await response.read()
        await wait_until_released(
            lambda: exposer.active_count, lambda: post_status(session, url, message("ping"), ACCEPT)
        )


async def test_reload_notifies_clients_and_keeps_sessions(shop_document: dict[str, Any]) -> None:
    async with running(shop_document) as served, aiohttp.ClientSession() as session:
        url = served.url("shop")
        session_headers = await initialize(session, url)
        async with session.get(url, headers=session_headers) as stream:
            assert await read_event(stream) is None
            await served.host.reload(shop_document)
            events = [event["method"] for event in await read_events(stream)]
        assert events[0] == "notifications/tools/list_changed"
        served.fake("stock").responses["list"] = paused_call = PausedCall()
        calling = asyncio.create_task(
            post_status(session, url, message("tools/call", 7, name="list-items"), session_headers)
        )
        await paused_call.began.wait()
        await post_status(session, url, message("notifications/cancelled", None, requestId=7), session_headers)
        assert await calling == 202


class Clock:
    """The clock of an event loop, which can be advanced."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.ahead = 0.0
        self._time = loop.time

    def __call__(self) -> float:
        return self._time() + self.ahead


@pytest.mark.parametrize(("seconds", "content_type"), [((5.0,), "application/json"), ((5.0, 5.0), "text/event-stream")])
async def test_first_heartbeat_after_5_to_10_seconds(
    shop: Any, paused_call: PausedCall, monkeypatch: pytest.MonkeyPatch, seconds: tuple[float, ...], content_type: str
) -> None:
    loop = asyncio.get_running_loop()
    clock = Clock(loop)
    monkeypatch.setattr(loop, "time", clock)
    call = message("tools/call", name="list-items")
    calling = asyncio.create_task(shop.session.post(shop.url, json=call, headers=ACCEPT))
    await paused_call.began.wait()
    for step in seconds:
        clock.ahead += step
        # The timers that are due run before the response to this request.
        assert (await shop.post(message("ping")))[0] == 200
    paused_call.proceed.set()
    async with await calling as response:
        assert response.content_type == content_type
        assert b'"late":true' in await response.read()
