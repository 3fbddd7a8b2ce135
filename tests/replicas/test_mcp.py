"""MCP at several replicas: each request of a session goes to another one, with the store there and away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from io import BytesIO
from typing import Any
from uuid import uuid4

import aiohttp
import mcp_types as types
import pytest
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from redis.asyncio import Redis

import adapter_host_redis
from adapter_host import Plugins, RegisterExposer, hookimpl
from adapter_host.testing import FakePlugin, Running, running
from adapter_host_mcp import session_key
from adapter_host_mcp.exposer import McpExposer
from adapter_host_mcp.replicas import bus, records
from tests.support.redis_server import RedisServer

Message = dict[str, Any]
Start = Callable[..., Awaitable["Replica"]]

KEYS = {"ADAPTER_HOST_STATE_KEY": "k" * 44}
ACCEPT = {"Accept": "application/json, text/event-stream"}
CONSENT = types.InputRequiredResult(
    input_requests={
        "consent": types.ElicitRequest(
            params=types.ElicitRequestFormParams(
                message="Really?", requested_schema={"type": "object", "properties": {"yes": {"type": "boolean"}}}
            )
        )
    },
    request_state="asked",
)


def document(*tools: str) -> Message:
    declared = [{"name": name, "description": name, "call": "stock.list"} for name in ("list", *tools)]
    priced = {
        "name": "price",
        "description": "price",
        "call": "stock.list",
        "outputParameters": [{"name": "price", "type": "number", "mapping": "$.price"}],
    }
    consumed = {"type": "fake", "namespace": "stock", "operations": [{"name": "list"}]}
    exposed = {"type": "mcp", "namespace": "shop", "port": 9090, "description": "Shop", "tools": [*declared, priced]}
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Shop"},
        "capability": {"consumes": [consumed], "exposes": [exposed]},
    }


class Handlers(McpExposer):
    """An exposer with tools of its own: one asks the client, one detaches its stream, one needs consent."""

    def build_server(self) -> Server[None]:
        server = super().build_server()
        self.proceed = asyncio.Event()

        async def call(
            context: ServerRequestContext[None], params: types.CallToolRequestParams
        ) -> types.CallToolResult | types.InputRequiredResult:
            if params.name == "wait":
                assert context.close_sse_stream is not None
                await context.close_sse_stream()
                await self.proceed.wait()
                return _text("x" * 1_500_000)
            if params.name == "consent":
                return _text(f"state: {params.request_state}") if params.request_state else CONSENT
            result = await context.session.send_request(types.ListRootsRequest(), types.ListRootsResult)
            return _text(str(result.roots[0].uri))

        server.add_request_handler("tools/call", types.CallToolRequestParams, call)
        return server


def _text(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=text)])


class HandlerPlugin:
    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("mcp", Handlers)


class Replica:
    """A host, with a client of its exposer."""

    def __init__(self, served: Running, client: aiohttp.ClientSession) -> None:
        self.served = served
        self.url = served.url("shop")
        self._client = client

    @property
    def exposer(self) -> Handlers:
        (status,) = self.served.host.status()
        assert isinstance(status.exposer, Handlers)
        return status.exposer

    def stream(
        self, method: str, headers: Mapping[str, str], body: Message | None = None
    ) -> aiohttp.client._RequestContextManager:
        data = None if body is None else BytesIO(json.dumps(body).encode())
        return self._client.request(
            method, self.url, headers={**headers, "Content-Type": "application/json"}, data=data
        )

    async def send(self, body: Message, headers: Mapping[str, str] = ACCEPT) -> tuple[int, Any]:
        """Send a message; return the status and the last message of the response."""
        async with self.stream("POST", headers, body) as response:
            text = await response.text()
        return response.status, _last(text) if text else None

    async def initialize(self, **capabilities: Any) -> dict[str, str]:
        """Open a session; return the headers for its requests."""
        client = {"name": "test", "version": "1"}
        hello = message("initialize", protocolVersion="2025-11-25", capabilities=capabilities, clientInfo=client)
        async with self.stream("POST", ACCEPT, hello) as response:
            session = response.headers["Mcp-Session-Id"]
        return {**ACCEPT, "Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-11-25"}

    async def end(self, headers: Mapping[str, str]) -> tuple[int, str | None]:
        """Delete a session; return the status and the time after which to try again."""
        async with self.stream("DELETE", headers) as response:
            return response.status, response.headers.get("Retry-After")


def message(method: str, request_id: int | None = 1, **params: Any) -> Message:
    id_member = {} if request_id is None else {"id": request_id}
    return {"jsonrpc": "2.0", **id_member, "method": method, "params": params}


def tool_call(name: str, request_id: int = 1) -> Message:
    return message("tools/call", request_id, name=name)


def _last(text: str) -> Any:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith(("data: ", "{"))]
    return json.loads(lines[-1])


async def read_message(response: aiohttp.ClientResponse) -> Any:
    """Return the next message of an event stream, None at its end."""
    line = b""
    async for chunk in response.content.iter_any():
        line += chunk
        while b"\n" in line:
            first, _, line = line.partition(b"\n")
            if first.startswith(b"data: "):
                return json.loads(first.removeprefix(b"data: "))
    return None


class Paused:
    """An upstream call that waits, and records its cancellation."""

    def __init__(self) -> None:
        self.began, self.proceed, self.cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self, _: Message) -> Message:
        self.began.set()
        try:
            await self.proceed.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return {"late": True}


@pytest.fixture
async def start(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Start]:
    """Start replicas that share a server, and nothing with other tests."""
    monkeypatch.setattr(bus, "RETRY_AFTER", 0.05)
    prefix = uuid4().hex
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(aiohttp.ClientSession())

        async def start(server: RedisServer, environment: Mapping[str, str] = KEYS) -> Replica:
            plugins = Plugins({"mcp": HandlerPlugin(), "fake": FakePlugin(), "redis": adapter_host_redis})
            options = {"state": server.url, "state_prefix": prefix, "environment": environment}
            served = await stack.enter_async_context(running(document(), plugins=plugins, **options))
            return Replica(served, client)

        yield start


@pytest.fixture
async def replicas(start: Start, shared_redis: RedisServer) -> tuple[Replica, Replica, Replica]:
    return await start(shared_redis), await start(shared_redis), await start(shared_redis)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until another process has changed; there is no event for it."""
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_session_goes_from_replica_to_replica(replicas: tuple[Replica, ...]) -> None:
    first, second, third = replicas
    session, other = await first.initialize(), await first.initialize()
    assert (await second.send(tool_call("list"), session))[1]["result"]["isError"] is False
    assert await third.end(session) == (204, None)
    for replica in replicas:
        assert (await replica.send(tool_call("list"), session))[0] == 404
        assert (await replica.send(tool_call("list"), other))[0] == 200


async def test_log_level_holds_at_all_replicas(replicas: tuple[Replica, ...]) -> None:
    first, second, third = replicas
    session = await first.initialize()
    second.served.fake("stock").responses["list"] = lambda _: {"price": "much"}
    for level, logs in (("warning", True), ("error", False)):
        assert (await third.send(message("logging/setLevel", level=level), session))[0] == 200
        async with second.stream("POST", session, tool_call("price")) as response:
            assert ("notifications/message" in await response.text()) is logs
    assert (await third.end(session))[0] == 204
    assert (await first.send(message("logging/setLevel", level="debug"), session))[0] == 404


async def test_records_of_sessions_are_bounded(replicas: tuple[Replica, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_RECORDS", 2)
    first, second, _ = replicas
    sessions = [await first.initialize() for _ in range(3)]
    for session in sessions:
        assert (await first.end(session))[0] == 204
    assert [(await second.send(tool_call("list"), session))[0] for session in sessions] == [200, 404, 404]


async def test_call_is_cancelled_at_another_replica(replicas: tuple[Replica, ...]) -> None:
    first, second, _ = replicas
    session, other = await first.initialize(), await first.initialize()
    first.served.fake("stock").responses["list"] = paused = Paused()
    calling = asyncio.create_task(first.send(tool_call("list", 7), session))
    await paused.began.wait()
    cancelled = message("notifications/cancelled", None, requestId=7)
    assert await second.send(cancelled, other) == (202, None)
    assert await second.send(message("notifications/cancelled", None, requestId="7" * 2_000_000), session) == (
        202,
        None,
    )
    assert not paused.cancelled.is_set()
    assert await second.send(cancelled, session) == (202, None)
    assert await calling == (202, None)


async def test_client_responds_to_another_replica(replicas: tuple[Replica, ...]) -> None:
    first, second, third = replicas
    session, other = await third.initialize(roots={}), await third.initialize(roots={})
    for outcome in ({"result": {"roots": [{"uri": "file:///home"}]}}, {"error": {"code": -1, "message": "no roots"}}):
        async with first.stream("POST", session, tool_call("ask")) as response:
            request = await read_message(response)
            reply = {"jsonrpc": "2.0", "id": request["id"], **outcome}
            large = {**reply, "result": {"roots": [{"uri": "file:///" + "x" * 2**20}]}}
            large.pop("error", None)
            statuses = [
                (await second.send(each, headers))[0]
                for each, headers in ((reply, other), (reply, ACCEPT), (large, session), (reply, session))
            ]
            assert statuses == [400, 400, 400, 202]
            result = await read_message(response)
        assert (await second.send(reply, session))[0] == 400
        assert result.get("error") == outcome.get("error")
        if "result" in outcome:
            assert result["result"]["content"][0]["text"] == "file:///home"


async def test_stream_is_resumed_at_another_replica(replicas: tuple[Replica, ...]) -> None:
    first, second, third = replicas
    session, other = await first.initialize(), await first.initialize()
    async with first.stream("POST", session, tool_call("wait")) as response:
        token = (await response.text()).splitlines()[0].removeprefix("id: ")
    resumed = {**session, "Last-Event-ID": token}
    async with second.stream("GET", resumed) as response:
        assert response.status == 200
        first.exposer.proceed.set()
        result = await read_message(response)
        assert len(result["result"]["content"][0]["text"]) == 1_500_000
        assert await read_message(response) is None
    # It is resumed once: later requests get a stream of changes, as does another session.
    for headers in (resumed, {**other, "Last-Event-ID": token}):
        async with third.stream("GET", headers) as response:
            third.exposer.notify_reload()
            assert (await read_message(response))["method"] == "notifications/tools/list_changed"
    assert first.exposer.active_count == 0


async def test_events_of_a_stream_outlive_its_replica(replicas: tuple[Replica, ...]) -> None:
    first, second, _ = replicas
    session = await first.initialize()
    async with first.stream("POST", session, tool_call("wait")) as response:
        token = (await response.text()).splitlines()[0].removeprefix("id: ")
    first.exposer.proceed.set()

    async def written() -> bool:
        return first.exposer.active_count == 0

    await until(written)
    await first.served.host.stop()
    async with second.stream("GET", {**session, "Last-Event-ID": token}) as response:
        assert (await read_message(response))["result"]["isError"] is False


async def test_stream_ends_with_its_replica(replicas: tuple[Replica, ...]) -> None:
    first, second, _ = replicas
    session = await first.initialize()
    async with first.stream("POST", session, tool_call("wait")) as response:
        token = (await response.text()).splitlines()[0].removeprefix("id: ")
    await first.served.host.stop()
    async with second.stream("GET", {**session, "Last-Event-ID": token}) as response:
        assert await read_message(response) is None


async def test_state_of_a_request_is_sealed_for_all_replicas(replicas: tuple[Replica, ...]) -> None:
    first, second, _ = replicas
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
    }
    headers = {**ACCEPT, "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "consent"}
    _, asked = await first.send(message("tools/call", name="consent", _meta=meta), headers)
    responses = {"consent": {"action": "accept", "content": {"yes": True}}}
    state = {"requestState": asked["result"]["requestState"], "inputResponses": responses}
    assert "asked" not in state["requestState"]
    _, result = await second.send(message("tools/call", name="consent", _meta=meta, **state), headers)
    assert result["result"]["content"][0]["text"] == "state: asked"


async def test_change_is_announced_by_the_last_replica_that_reloads(start: Start, shared_redis: RedisServer) -> None:
    first, second = await start(shared_redis), await start(shared_redis)
    session = await first.initialize()
    async with second.stream("GET", session) as old:
        await first.served.host.reload(document("more"))
        async with first.stream("GET", session) as new:
            # The other replica does not list the same yet.
            second.exposer.notify_reload()
            assert (await read_message(old))["method"] == "notifications/tools/list_changed"
            await second.served.host.reload(document("more"))
            assert (await read_message(new))["method"] == "notifications/tools/list_changed"
            listed = (await second.send(message("tools/list"), session))[1]["result"]["tools"]
    assert "more" in [tool["name"] for tool in listed]


async def test_without_the_store_only_other_replicas_are_missed(start: Start, redis: RedisServer) -> None:
    first, second = await start(redis), await start(redis)
    session = await first.initialize(roots={})
    redis.stop()
    assert (await second.send(tool_call("list"), session))[0] == 200
    assert await second.end(session) == (503, "1")
    assert (await second.send(message("notifications/cancelled", None, requestId=7), session))[0] == 503
    error = (await second.send(message("logging/setLevel", level="debug"), session))[1]["error"]
    assert error["message"] == "the state store is unavailable; try again later"
    async with first.stream("POST", session, tool_call("ask")) as response:
        request = await read_message(response)
        reply = {"jsonrpc": "2.0", "id": request["id"], "result": {"roots": [{"uri": "file:///home"}]}}
        assert (await second.send(reply, session))[0] == 503
        assert (await first.send(reply, session))[0] == 202
        assert (await read_message(response))["result"]["content"][0]["text"] == "file:///home"
    async with first.stream("POST", session, tool_call("wait")) as response:
        token = (await response.text()).splitlines()[0].removeprefix("id: ")
    first.exposer.proceed.set()
    async with first.stream("GET", {**session, "Last-Event-ID": token}) as response:
        assert (await read_message(response))["result"]["isError"] is False
    redis.start()

    async def ended() -> bool:
        return (await second.end(session))[0] in (204, 404)

    async def known() -> bool:
        return (await first.send(tool_call("list"), session))[0] == 404

    await until(ended)
    await until(known)


async def test_replicas_that_start_without_the_store_use_it_later(start: Start, redis: RedisServer) -> None:
    redis.stop()
    first, second = await start(redis), await start(redis)
    session = await first.initialize()
    assert (await second.send(tool_call("list"), session))[0] == 200
    redis.start()

    async def ended() -> bool:
        return (await second.end(session))[0] == 204

    async def known() -> bool:
        return (await first.send(tool_call("list"), session))[0] == 404

    await until(ended)
    await until(known)


async def test_events_are_sealed_in_the_store(replicas: tuple[Replica, ...], shared_redis: RedisServer) -> None:
    first, second, _ = replicas
    session = await first.initialize()
    async with first.stream("POST", session, tool_call("wait")) as response:
        token = (await response.text()).splitlines()[0].removeprefix("id: ")
    first.exposer.proceed.set()

    async def written() -> bool:
        return first.exposer.active_count == 0

    await until(written)
    async with Redis(port=shared_redis.port) as client:
        events = [key async for key in client.scan_iter(f"*:stream:*:{token}:0")]
        stored = await client.get(events[0])
        assert isinstance(stored, bytes)
        assert b"xxx" not in stored
        await client.set(events[0], b".forged")
    async with second.stream("GET", {**session, "Last-Event-ID": token}) as response:
        assert await read_message(response) is None


async def test_parts_of_held_results_are_read_at_any_replica(
    replicas: tuple[Replica, Replica, Replica], shared_redis: RedisServer
) -> None:
    whole = ["secret-of-one-caller" * 20] * 2000
    replicas[0].served.fake("stock").responses["list"] = lambda _: whole
    headers = await replicas[0].initialize()
    _, response = await replicas[0].send(tool_call("list"), headers)
    uri = response["result"]["_meta"]["adapter-host/budget"]["uri"]
    _, response = await replicas[1].send(message("resources/read", 2, uri=uri), headers)
    assert json.loads(response["result"]["contents"][0]["text"]) == whole
    async with Redis.from_url(shared_redis.url) as stored:
        keys = [key async for key in stored.scan_iter("*:held:*:0")]
        values = [await stored.get(key) or b"" for key in keys]
    assert values
    assert not any(b"secret-of-one-caller" in value for value in values)


async def test_held_results_stay_in_a_replica_without_a_key(start: Start, shared_redis: RedisServer) -> None:
    first, second = await start(shared_redis, {}), await start(shared_redis, {})
    whole = ["x" * 400] * 2000
    first.served.fake("stock").responses["list"] = lambda _: whole
    _, response = await first.send(tool_call("list"))
    uri = response["result"]["_meta"]["adapter-host/budget"]["uri"]
    _, response = await first.send(message("resources/read", 2, uri=uri))
    assert json.loads(response["result"]["contents"][0]["text"]) == whole
    _, response = await second.send(message("resources/read", 3, uri=uri))
    assert "no such result is held" in response["error"]["message"]


@pytest.mark.parametrize("key", ["ADAPTER_HOST_STATE_KEY", "ADAPTER_HOST_MCP_KEY"])
async def test_either_key_makes_sessions_those_of_all_replicas(
    start: Start, shared_redis: RedisServer, key: str
) -> None:
    first, second = [await start(shared_redis, {key: "k" * 44}) for _ in range(2)]
    session = await first.initialize()
    assert (await second.end(session))[0] == 204
    assert (await first.send(tool_call("list"), session))[0] == 404
    assert first.served.host.warnings == ()


async def test_without_a_key_each_replica_has_its_own_sessions(
    start: Start, shared_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await start(shared_redis, {})
    # Another process has another random key.
    monkeypatch.setattr(session_key, "_random_key", lambda: b"another process" * 3)
    second = await start(shared_redis, {})
    session = await first.initialize()
    assert (await second.send(tool_call("list"), session))[0] == 200
    assert (await second.end(session))[0] == 204
    assert (await first.send(tool_call("list"), session))[0] == 200
    (warning,) = first.served.host.warnings
    assert (warning.code, "ADAPTER_HOST_STATE_KEY" in str(warning)) == ("own-sessions", True)
