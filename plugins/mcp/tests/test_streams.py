"""What goes on between a request and its answer, and without one: streams of events, sessions, cancelling, limits."""

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

from adapter_host import Plugins, RegisterExposer, hookimpl
from adapter_host.testing import FakePlugin, Running, running
from adapter_host_mcp.exposer import McpExposer
from adapter_host_mcp.http import responses as replies
from adapter_host_mcp.http import sse as streams
from adapter_host_mcp.sdk import client_requests as questions

ACCEPT = {"Accept": "application/json, text/event-stream"}
STATELESS = "2026-07-28"
META = {"io.modelcontextprotocol/protocolVersion": STATELESS, "io.modelcontextprotocol/clientCapabilities": {}}
KEY = "ADAPTER_HOST_MCP_KEY"


def message(method: str, identity: int | None = 1, **params: Any) -> dict[str, Any]:
    named = {} if identity is None else {"id": identity}
    return {"jsonrpc": "2.0", **named, "method": method, "params": params}


def stateless(method: str, **params: Any) -> tuple[dict[str, Any], dict[str, str]]:
    headers = {**ACCEPT, "MCP-Protocol-Version": STATELESS, "Mcp-Method": method}
    if "name" in params:
        headers["Mcp-Name"] = params["name"]
    meta = {**META, **params.pop("meta", {})}
    return message(method, _meta=meta, **params), headers


async def begin(session: aiohttp.ClientSession, url: str, **capabilities: Any) -> dict[str, str]:
    """Shake hands; the headers of what follows."""
    client = {"name": "test", "version": "1"}
    hello = message("initialize", protocolVersion="2025-11-25", capabilities=capabilities, clientInfo=client)
    async with session.post(url, json=hello, headers=ACCEPT) as answer:
        assert answer.content_type == "application/json"
        return {**ACCEPT, "Mcp-Session-Id": answer.headers["Mcp-Session-Id"], "MCP-Protocol-Version": "2025-11-25"}


async def read_event(answer: aiohttp.ClientResponse) -> Any:
    """Return the next message of a stream, a comment as None; `StopAsyncIteration` at its end."""
    found: Any = StopAsyncIteration
    async for line in answer.content:
        if line == b":\n":
            found = None
        elif line.startswith(b"data: "):
            found = json.loads(line.removeprefix(b"data: "))
        elif line == b"\n":
            return found
    return found


async def read_events(answer: aiohttp.ClientResponse) -> list[Any]:
    assert answer.content_type == "text/event-stream"
    events = []
    while (event := await read_event(answer)) is not StopAsyncIteration:
        events.append(event)
    return events


class Gate:
    """An upstream call that waits to be let go on, and tells how it ended."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.go_on = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, _: dict[str, Any]) -> dict[str, Any]:
        self.began.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return {"late": True}


@pytest.fixture
def gate(shop: Any) -> Gate:
    shop.stock.responses["list"] = gate = Gate()
    return gate


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies, "BEAT", 0.02)
    monkeypatch.setattr(streams, "BEAT", 0.02)


def exposer(served: Running) -> McpExposer:
    (status,) = served.host.status()
    assert isinstance(status.exposer, McpExposer)
    return status.exposer


async def freed(held: Callable[[], int], ping: Callable[[], Awaitable[Any]]) -> None:
    """Come back when nothing is held for clients any longer."""
    async with asyncio.timeout(5):
        while held():
            await ping()


@pytest.mark.usefixtures("quick")
async def test_a_long_call_shows_signs_of_life(shop: Any, gate: Gate) -> None:
    call = message("tools/call", name="list-items")
    async with shop.session.post(shop.url, json=call, headers=ACCEPT) as answer:
        assert [await read_event(answer) for _ in range(3)] == [None, None, None]
        gate.go_on.set()
        events = [event for event in await read_events(answer) if event is not None]
    assert [event["result"]["structuredContent"] for event in events] == [{"late": True}]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("era", ["handshake", "stateless"])
async def test_a_long_call_tells_its_progress_to_who_asks(shop: Any, gate: Gate, era: str) -> None:
    if era == "stateless":
        call, headers = stateless("tools/call", name="list-items", meta={"progressToken": "p"})
    else:
        call, headers = message("tools/call", name="list-items", _meta={"progressToken": "p"}), ACCEPT
    async with shop.session.post(shop.url, json=call, headers=headers) as answer:
        told = [await read_event(answer) for _ in range(3)]
        gate.go_on.set()
        result = (await read_events(answer))[-1]["result"]
    assert {event["method"] for event in told} == {"notifications/progress"}
    assert {event["params"]["progressToken"] for event in told} == {"p"}
    progress = [event["params"]["progress"] for event in told]
    assert progress == sorted(set(progress))
    assert result["structuredContent"] == {"late": True}


@pytest.mark.usefixtures("quick")
async def test_who_takes_no_stream_waits_for_the_document(shop: Any, gate: Gate) -> None:
    async def call() -> Any:
        body = message("tools/call", name="list-items", _meta={"progressToken": "p"})
        async with shop.session.post(shop.url, json=body, headers={"Accept": "application/json"}) as answer:
            assert answer.content_type == "application/json"
            return (await answer.json())["result"]["structuredContent"]

    calling = asyncio.create_task(call())
    await gate.began.wait()
    async with shop.session.get(shop.url, headers={"Accept": "text/event-stream"}) as listening:
        for _ in range(4):
            await read_event(listening)
    gate.go_on.set()
    assert await calling == {"late": True}


async def test_a_client_cancels_its_call_by_name(shop: Any, gate: Gate) -> None:
    mine, other = await begin(shop.session, shop.url), await begin(shop.session, shop.url)
    call = message("tools/call", 7, name="list-items")
    calling = asyncio.create_task(sent(shop, call, mine))
    await gate.began.wait()
    for headers, request_id in ((other, 7), (mine, 8), ({**ACCEPT}, 7), (mine, "7")):
        cancel = message("notifications/cancelled", None, requestId=request_id)
        assert (await sent(shop, cancel, headers))[0] == 202
        assert not gate.cancelled.is_set()
    assert (await sent(shop, message("notifications/cancelled", None, requestId=7), mine))[0] == 202
    async with asyncio.timeout(5):
        await gate.cancelled.wait()
        assert await calling == (202, b"")


@pytest.mark.usefixtures("quick")
async def test_a_cancelled_stream_ends_without_a_result(shop: Any, gate: Gate) -> None:
    headers = await begin(shop.session, shop.url)
    call = message("tools/call", 7, name="list-items")
    async with shop.session.post(shop.url, json=call, headers=headers) as answer:
        assert await read_event(answer) is None
        await sent(shop, message("notifications/cancelled", None, requestId=7), headers)
        assert set(await read_events(answer)) <= {None}
    assert gate.cancelled.is_set()


async def sent(shop: Any, body: Any, headers: Mapping[str, str]) -> tuple[int, bytes]:
    async with shop.session.post(shop.url, json=body, headers=headers) as answer:
        return answer.status, await answer.read()


async def test_any_process_with_the_key_opens_a_session(shop_document: dict[str, Any]) -> None:
    environment = {KEY: "k" * 32}
    async with (
        running(shop_document, environment=environment) as first,
        running(shop_document, environment=environment) as second,
        aiohttp.ClientSession() as session,
    ):
        headers = await begin(session, first.url("shop"))
        second.fake("stock").responses["list"] = gate = Gate()
        call = message("tools/call", 7, name="list-items")
        calling = asyncio.create_task(posted(session, second.url("shop"), call, headers))
        await gate.began.wait()
        cancel = message("notifications/cancelled", None, requestId=7)
        await posted(session, second.url("shop"), cancel, headers)
        assert await calling == 202


async def posted(session: aiohttp.ClientSession, url: str, body: Any, headers: Mapping[str, str]) -> int:
    async with session.post(url, json=body, headers=headers) as answer:
        return answer.status


@pytest.mark.parametrize("spoilt", ["", "x", "v1.AAAA", "other"])
async def test_an_id_that_tells_nothing_does_no_harm(shop: Any, shop_document: dict[str, Any], spoilt: str) -> None:
    headers = await begin(shop.session, shop.url)
    if spoilt == "other":
        async with running(shop_document) as other:
            headers = await begin(shop.session, other.url("shop"))
    else:
        headers["Mcp-Session-Id"] = spoilt
    status, answer = await sent(shop, message("tools/call", name="get-item", arguments={"id": 7}), headers)
    assert (status, json.loads(answer)["result"]["isError"]) == (200, False)


async def test_a_weak_key_is_refused(shop_document: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=f"the secret {KEY} is too short"):
        async with running(shop_document, environment={KEY: "short"}):
            pytest.fail("it started")


async def test_a_session_that_its_client_ended_is_over(shop: Any) -> None:
    mine, other = await begin(shop.session, shop.url), await begin(shop.session, shop.url)
    async with shop.session.delete(shop.url, headers=mine) as answer:
        assert answer.status == 204
    ping = message("ping")
    assert [(await sent(shop, ping, headers))[0] for headers in (mine, other)] == [404, 200]
    async with shop.session.get(shop.url, headers=mine) as answer:
        assert answer.status == 404


async def test_the_session_knows_the_revision(shop: Any) -> None:
    shop.stock.responses["list"] = lambda _: [1]
    headers = await begin(shop.session, shop.url)
    del headers["MCP-Protocol-Version"]
    _, answer = await sent(shop, message("tools/call", name="list-items"), headers)
    assert "structuredContent" not in json.loads(answer)["result"]


@asynccontextmanager
async def listening(session: aiohttp.ClientSession, url: str) -> AsyncIterator[aiohttp.ClientResponse]:
    """Yield a stream for news of the stateless revision, past its acknowledgement."""
    body, headers = stateless("subscriptions/listen", notifications={"toolsListChanged": True})
    async with session.post(url, json=body, headers=headers) as answer:
        assert (await read_event(answer))["method"] == "notifications/subscriptions/acknowledged"
        yield answer


async def test_changes_are_told_to_who_listens(shop_document: dict[str, Any]) -> None:
    async with running(shop_document) as served, aiohttp.ClientSession() as session:
        url = served.url("shop")
        async with session.get(url, headers=ACCEPT) as old, listening(session, url) as new:
            assert await read_event(old) is None
            exposer(served).notify_reload()
            told = [(await read_event(old))["method"] for _ in range(3)]
            assert told == [f"notifications/{kind}/list_changed" for kind in ("tools", "prompts", "resources")]
            event = await read_event(new)
            assert event["method"] == "notifications/tools/list_changed"
            assert event["params"]["_meta"] == {"io.modelcontextprotocol/subscriptionId": 1}
            async with asyncio.timeout(5):
                await served.host.drain()
            assert await read_events(old) == []
            (end,) = await read_events(new)
            assert end["result"]["resultType"] == "complete"


async def test_what_vanished_clients_held_is_freed(shop_document: dict[str, Any]) -> None:
    async with running(shop_document) as served, aiohttp.ClientSession() as session:
        url, gate, mcp = served.url("shop"), Gate(), exposer(served)
        served.fake("stock").responses["list"] = gate
        calling = asyncio.create_task(posted(session, url, message("tools/call", name="list-items"), ACCEPT))
        async with session.get(url, headers=ACCEPT) as old, listening(session, url) as new:
            await gate.began.wait()
            await read_event(old)
            # The call and the stateless stream are replies; both streams are streams.
            assert mcp.held == 4
            old.close()
            new.close()
            calling.cancel()
        await freed(lambda: mcp.held, lambda: posted(session, url, message("ping"), ACCEPT))
        assert gate.cancelled.is_set()


async def test_streams_are_bounded(shop_document: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LIMIT", 1)
    async with running(shop_document) as served, aiohttp.ClientSession() as session:
        url = served.url("shop")
        async with listening(session, url):
            async with session.get(url, headers=ACCEPT) as answer:
                assert answer.status == 503
            body, headers = stateless("subscriptions/listen", notifications={})
            async with session.post(url, json=body, headers=headers) as answer:
                assert (await answer.json())["error"]["message"] == "too many clients listen already"


async def test_a_stream_ends_when_its_time_is_over(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LIFETIME", 0.0)
    async with shop.session.get(shop.url, headers=ACCEPT) as answer:
        assert await read_events(answer) == [None]


async def test_news_are_bounded() -> None:
    news = streams.EventQueue()
    for number in range(3 * streams.BACKLOG):
        news.put(b"%d" % number)
    told = [event async for event in news]
    assert told == [streams.event(b"%d" % number) for number in range(streams.BACKLOG)]


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
async def test_who_takes_no_events_hears_none(shop: Any, accept: str) -> None:
    async with shop.session.get(shop.url, headers={"Accept": accept}) as answer:
        assert answer.status == 406
    body, headers = stateless("subscriptions/listen", notifications={})
    async with shop.session.post(shop.url, json=body, headers={**headers, "Accept": "application/json"}) as answer:
        assert answer.status == 406


async def test_a_list_has_pages(shop_document: dict[str, Any]) -> None:
    capability = shop_document["capability"]
    (exposed,) = capability["exposes"]
    names = [f"tool-{number}" for number in range(2001)]
    tools = [{"name": name, "description": "One of many", "call": "stock.list"} for name in names]
    document = {**shop_document, "capability": {**capability, "exposes": [{**exposed, "tools": tools}]}}
    async with running(document) as served, aiohttp.ClientSession() as session:
        listed, cursor = [], None
        for _ in range(3):
            body = message("tools/list", **({} if cursor is None else {"cursor": cursor}))
            async with session.post(served.url("shop"), json=body, headers=ACCEPT) as answer:
                result = (await answer.json())["result"]
            listed.append([tool["name"] for tool in result["tools"]])
            cursor = result.get("nextCursor")
        assert (listed, cursor) == ([names[:1000], names[1000:2000], names[2000:]], None)


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("era", ["handshake", "stateless"])
async def test_who_asks_for_the_log_gets_it(shop_document: dict[str, Any], era: str, asked: bool) -> None:
    outputs = [{"type": "object", "properties": {"price": {"type": "number", "mapping": "$.price"}}}]
    capability = shop_document["capability"]
    (exposed,) = capability["exposes"]
    tool = {"name": "price", "description": "A price", "call": "stock.list", "outputParameters": outputs}
    document = {**shop_document, "capability": {**capability, "exposes": [{**exposed, "tools": [tool]}]}}
    async with running(document) as served, aiohttp.ClientSession() as session:
        served.fake("stock").responses["list"] = lambda _: {"price": "much"}
        url = served.url("shop")
        if era == "stateless":
            meta = {"io.modelcontextprotocol/logLevel": "info"} if asked else {}
            body, headers = stateless("tools/call", name="price", meta=meta)
        else:
            headers = await begin(session, url)
            body = message("tools/call", name="price")
            level = message("logging/setLevel", level="warning" if asked else "error")
            assert await posted(session, url, level, headers) == 200
        async with session.post(url, json=body, headers=headers) as answer:
            if not asked:
                assert answer.content_type == "application/json"
                return
            told, result = await read_events(answer)
    flaw = "its result is not as its output schema says at $.price"
    assert told["params"] == {"level": "warning", "logger": "price", "data": flaw}
    assert result["result"]["structuredContent"] == {"price": "much"}


class OwnExposer(McpExposer):
    """Has tools of its own: one asks the client for its roots, one sends it away until it is done, one says much."""

    def build_server(self) -> Server[None]:
        server = super().build_server()
        self.go_on, self.ended = asyncio.Event(), asyncio.Event()

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
            await self.go_on.wait()
        finally:
            self.ended.set()
        await context.session.report_progress(1)
        return types.CallToolResult(content=[types.TextContent(text="done")])

    async def flood(self, context: ServerRequestContext[None]) -> types.CallToolResult:
        told = types.LoggingMessageNotificationParams(level="info", data="x" * 1_000_000)
        try:
            while True:
                notification = types.LoggingMessageNotification(params=told)
                await context.session.send_notification(notification, related_request_id=context.request_id)
        finally:
            self.ended.set()


class OwnPlugin:
    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("mcp", OwnExposer)


@asynccontextmanager
async def asking(document: dict[str, Any]) -> AsyncIterator[tuple[Running, aiohttp.ClientSession]]:
    plugins = Plugins({"mcp": OwnPlugin(), "fake": FakePlugin()})
    async with running(document, plugins=plugins) as served, aiohttp.ClientSession() as session:
        yield served, session


async def test_a_handler_asks_its_client(shop_document: dict[str, Any]) -> None:
    async with asking(shop_document) as (served, session):
        url = served.url("shop")
        mine, other = await begin(session, url, roots={}), await begin(session, url)
        call = message("tools/call", name="ask")
        async with session.post(url, json=call, headers=mine) as answer:
            question = await read_event(answer)
            assert question["method"] == "roots/list"
            roots = {"jsonrpc": "2.0", "id": question["id"], "result": {"roots": [{"uri": "file:///home"}]}}
            for headers, status in ((other, 400), (ACCEPT, 400), (mine, 202), (mine, 400)):
                assert await posted(session, url, roots, headers) == status
            (result,) = await read_events(answer)
        assert result["result"]["content"] == [{"type": "text", "text": "file:///home"}]
        assert exposer(served).held == 0


async def test_a_client_that_refuses_or_cannot_be_asked_is_an_error(shop_document: dict[str, Any]) -> None:
    async with asking(shop_document) as (served, session):
        url = served.url("shop")
        mine = await begin(session, url, roots={})
        call = message("tools/call", name="ask")
        async with session.post(url, json=call, headers=mine) as answer:
            question = await read_event(answer)
            refusal = {"jsonrpc": "2.0", "id": question["id"], "error": {"code": -1, "message": "no roots"}}
            assert await posted(session, url, refusal, mine) == 202
            (result,) = await read_events(answer)
        assert result["error"] == {"code": -1, "message": "no roots"}
        async with session.post(url, json=call, headers=ACCEPT) as answer:
            error = (await answer.json())["error"]
        assert (error["code"], "no back-channel" in error["message"]) == (-32600, True)


async def test_a_client_that_does_not_answer_is_not_waited_for(
    shop_document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "PATIENCE", 0.02)
    async with asking(shop_document) as (served, session):
        mine = await begin(session, served.url("shop"), roots={})
        call = message("tools/call", name="ask")
        async with session.post(served.url("shop"), json=call, headers=mine) as answer:
            _, result = await read_events(answer)
        assert result["error"]["message"] == "the client has not answered roots/list"
        assert exposer(served).held == 0


async def test_a_client_comes_back_for_the_rest_of_a_stream(shop_document: dict[str, Any]) -> None:
    async with asking(shop_document) as (served, session):
        url, own = served.url("shop"), exposer(served)
        assert isinstance(own, OwnExposer)
        mine, other = await begin(session, url), await begin(session, url)
        call = message("tools/call", name="wait", _meta={"progressToken": "p"})
        async with session.post(url, json=call, headers=mine) as answer:
            assert answer.content_type == "text/event-stream"
            head, retry, data, *_ = (await answer.read()).split(b"\n")
        assert (head.startswith(b"id: "), retry, data) == (True, b"retry: 500", b"data:")
        token = head.removeprefix(b"id: ").decode()
        assert (len(token), own.held) == (16, 2)
        own.go_on.set()
        async with session.get(url, headers={**mine, "Last-Event-ID": token}) as answer:
            progress, result = [event for event in await read_events(answer) if event is not None]
        assert progress["params"] == {"progressToken": "p", "progress": 1}
        assert result["result"]["content"] == [{"type": "text", "text": "done"}]
        assert own.held == 0
        for headers in (mine, other):
            async with session.get(url, headers={**headers, "Last-Event-ID": token}) as answer:
                assert await read_event(answer) is None
                own.notify_reload()
                assert (await read_event(answer))["method"] == "notifications/tools/list_changed"


async def test_what_goes_on_without_a_connection_is_cancelled_by_name(shop_document: dict[str, Any]) -> None:
    async with asking(shop_document) as (served, session):
        url, own = served.url("shop"), exposer(served)
        assert isinstance(own, OwnExposer)
        mine = await begin(session, url)
        async with session.post(url, json=message("tools/call", 7, name="wait"), headers=mine) as answer:
            await answer.read()
        await posted(session, url, message("notifications/cancelled", None, requestId=7), mine)
        await own.ended.wait()


async def test_what_goes_on_without_a_connection_ends_with_the_host(shop_document: dict[str, Any]) -> None:
    async with asking(shop_document) as (served, session):
        url, own = served.url("shop"), exposer(served)
        assert isinstance(own, OwnExposer)
        mine = await begin(session, url)
        async with session.post(url, json=message("tools/call", name="wait"), headers=mine) as answer:
            await answer.read()
        await served.host.stop()
        await own.ended.wait()


async def test_a_client_that_reads_nothing_is_cut_off(
    shop_document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "WRITE_TIMEOUT", 0.05)
    async with asking(shop_document) as (served, session):
        url, own = served.url("shop"), exposer(served)
        assert isinstance(own, OwnExposer)
        async with session.post(url, json=message("tools/call", name="flood"), headers=ACCEPT) as answer:
            assert answer.status == 200
            async with asyncio.timeout(5):
                await own.ended.wait()
            with pytest.raises(aiohttp.ClientError):
                await answer.read()
        await freed(lambda: own.held, lambda: posted(session, url, message("ping"), ACCEPT))


async def test_a_reload_is_told_and_sessions_outlive_it(shop_document: dict[str, Any]) -> None:
    async with running(shop_document) as served, aiohttp.ClientSession() as session:
        url = served.url("shop")
        mine = await begin(session, url)
        async with session.get(url, headers=mine) as listening:
            assert await read_event(listening) is None
            await served.host.reload(shop_document)
            told = [event["method"] for event in await read_events(listening)]
        assert told[0] == "notifications/tools/list_changed"
        served.fake("stock").responses["list"] = gate = Gate()
        calling = asyncio.create_task(posted(session, url, message("tools/call", 7, name="list-items"), mine))
        await gate.began.wait()
        await posted(session, url, message("notifications/cancelled", None, requestId=7), mine)
        assert await calling == 202


class Clock:
    """The time of an event loop, which can be moved on."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.ahead = 0.0
        self._time = loop.time

    def __call__(self) -> float:
        return self._time() + self.ahead


@pytest.mark.parametrize(("seconds", "content_type"), [((5.0,), "application/json"), ((5.0, 5.0), "text/event-stream")])
async def test_the_first_sign_of_life_comes_after_5_to_10_seconds(
    shop: Any, gate: Gate, monkeypatch: pytest.MonkeyPatch, seconds: tuple[float, ...], content_type: str
) -> None:
    loop = asyncio.get_running_loop()
    clock = Clock(loop)
    monkeypatch.setattr(loop, "time", clock)
    call = message("tools/call", name="list-items")
    calling = asyncio.create_task(shop.session.post(shop.url, json=call, headers=ACCEPT))
    await gate.began.wait()
    for step in seconds:
        clock.ahead += step
        # The timers that are due run before the response to this request.
        assert (await shop.post(message("ping")))[0] == 200
    gate.go_on.set()
    async with await calling as response:
        assert response.content_type == content_type
        assert b'"late":true' in await response.read()
