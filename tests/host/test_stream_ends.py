"""The ends of streams: wrappers of plugins see them, through every kind of exposer, and when a client has gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from mcp import Client

from adapter_host import Host, Plugins, Result, Settings, UpstreamTimeoutError
from adapter_host.testing import FakePlugin, Running, running
from tests.support.auditing import Audit

SSE = "text/event-stream"
NDJSON = "application/x-ndjson"
CALL = {"name": "watch", "call": "api.watch"}


def document(*exposed: dict[str, Any]) -> dict[str, Any]:
    api = {"type": "fake", "namespace": "api", "operations": [{"name": "watch"}]}
    return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [api], "exposes": list(exposed)}}


REST = {
    "type": "rest",
    "namespace": "front",
    "port": 0,
    "resources": [{"path": "/it", "operations": [{"method": "GET", **CALL}]}],
}
MCP = {"type": "mcp", "namespace": "front", "port": 0, "tools": [CALL]}


@pytest.fixture
def audit() -> Audit:
    return Audit()


@pytest.fixture
def plugins(audit: Audit) -> Plugins:
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    plugins.register("calls", audit)
    return plugins


class Upstream:
    """Two events, and then `after`: an error to raise, or nothing; a stream that `waits` does not end by itself."""

    def __init__(self, served: Running, *, after: Exception | None = None, waits: bool = False) -> None:
        self.after, self.waits = after, waits
        self.waiting, self.closed = asyncio.Event(), asyncio.Event()
        self.give = self.bytes
        served.fake("api").responses["watch"] = lambda _: self.give()

    def bytes(self) -> Result:
        return Result(stream=self._chunks(b"data: 1\n\n", b"data: 2\n\n"), media_type=SSE)

    def items(self) -> Result:
        return Result(items=self._chunks(1, 2))

    async def _chunks(self, *chunks: Any) -> AsyncIterator[Any]:
        try:
            for chunk in chunks:
                yield chunk
            if self.after is not None:
                raise self.after
            if self.waits:
                self.waiting.set()
                await asyncio.Event().wait()
        finally:
            self.closed.set()


async def test_end_over_rest(plugins: Plugins, audit: Audit) -> None:
    async with running(document(REST), plugins=plugins) as served, aiohttp.ClientSession() as session:
        Upstream(served)
        async with session.get(f"{served.url('front')}/it") as response:
            assert (response.content_type, await response.read()) == (SSE, b"data: 1\n\ndata: 2\n\n")
        await audit.ended.wait()
    assert audit.ends == [None]


async def test_items_over_rest(plugins: Plugins, audit: Audit) -> None:
    async with running(document(REST), plugins=plugins) as served, aiohttp.ClientSession() as session:
        upstream = Upstream(served)
        upstream.give = upstream.items
        async with session.get(f"{served.url('front')}/it") as response:
            assert (response.content_type, await response.read()) == (NDJSON, b"1\n2\n")
        await audit.ended.wait()
    assert audit.ends == [None]


async def test_failure_over_rest(plugins: Plugins, audit: Audit) -> None:
    failure = UpstreamTimeoutError("no event in time")
    async with running(document(REST), plugins=plugins) as served, aiohttp.ClientSession() as session:
        Upstream(served, after=failure)
        async with session.get(f"{served.url('front')}/it") as response:
            with pytest.raises(aiohttp.ClientError):
                await response.read()
        await audit.ended.wait()
    assert audit.ends == [failure]


async def test_disconnect_over_rest(plugins: Plugins, audit: Audit) -> None:
    async with running(document(REST), plugins=plugins) as served, aiohttp.ClientSession() as session:
        upstream = Upstream(served, waits=True)
        async with session.get(f"{served.url('front')}/it") as response:
            assert await response.content.readexactly(18) == b"data: 1\n\ndata: 2\n\n"
            assert audit.ends == []
            response.close()
        await audit.ended.wait()
        await upstream.closed.wait()
        assert served.host.calls == 0
    assert [type(end) for end in audit.ends] == [asyncio.CancelledError]


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
@pytest.mark.parametrize("given", ["bytes", "items"])
async def test_end_over_mcp(plugins: Plugins, audit: Audit, mode: str, given: str) -> None:
    async with running(document(MCP), plugins=plugins) as served, Client(served.url("front"), mode=mode) as client:
        upstream = Upstream(served)
        upstream.give = getattr(upstream, given)
        (content,) = (await client.call_tool("watch", {})).content
        assert content.model_dump(include={"text"}) == {"text": "1\n2" if given == "bytes" else "1\n2\n"}
        assert audit.ends == [None]


async def test_disconnect_over_mcp(plugins: Plugins, audit: Audit) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    params = {"name": "watch", "arguments": {}, "_meta": {"progressToken": 1}}
    headers = {"Accept": f"{SSE}, application/json"}
    async with running(document(MCP), plugins=plugins) as served, aiohttp.ClientSession() as session:
        upstream = Upstream(served, waits=True)
        async with session.post(served.url("front"), json={**call, "params": params}, headers=headers) as response:
            assert await response.content.readline() == b"event: message\n"
            response.close()
        await audit.ended.wait()
        await upstream.closed.wait()
    assert [type(end) for end in audit.ends] == [asyncio.CancelledError]


@pytest.mark.parametrize(("given", "body"), [("bytes", b"data: 1\n\ndata: 2\n\n"), ("items", b"[1,2]")])
async def test_end_of_a_call_by_the_host(plugins: Plugins, audit: Audit, given: str, body: bytes) -> None:
    async with running(document(REST), plugins=plugins) as served:
        upstream = Upstream(served)
        upstream.give = getattr(upstream, given)
        result = await served.host.call("front.watch")
        assert (result.body, result.stream, audit.ends) == (body, None, [None])


async def test_failure_and_cancellation_of_a_call_by_the_host(plugins: Plugins, audit: Audit) -> None:
    failure = UpstreamTimeoutError("no event in time")
    async with running(document(REST), plugins=plugins) as served:
        Upstream(served, after=failure)
        with pytest.raises(UpstreamTimeoutError):
            await served.host.call("front.watch")
        upstream = Upstream(served, waits=True)
        calling = asyncio.create_task(served.host.call("front.watch"))
        await upstream.waiting.wait()
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        await upstream.closed.wait()
    assert [type(end) for end in audit.ends] == [UpstreamTimeoutError, asyncio.CancelledError]


async def test_mapped_events_are_mapped_for_calls_of_the_host(audit: Audit, plugins: Plugins) -> None:
    """A stream that has a faster way to be read completely is mapped all the same."""
    call = {**CALL, "method": "GET", "outputParameters": [{"type": "number", "mapping": "$.n"}]}
    mapped = {**REST, "resources": [{"path": "/it", "operations": [call]}]}

    async def hold(_: int) -> bytes:
        return b"not mapped"

    async def chunks() -> AsyncIterator[bytes]:
        yield b'{"n":1}\n{"n":2}\n'

    async with running(document(mapped), plugins=plugins) as served:
        served.fake("api").responses["watch"] = lambda _: Result(stream=chunks(), media_type=NDJSON, hold=hold)
        assert (await served.host.call("front.watch")).body == b"1\n2\n"
    assert audit.ends == [None]


async def test_settings_limit_items_of_calls_of_the_host(plugins: Plugins, audit: Audit) -> None:
    host = Host(document(REST), plugins=plugins, settings=Settings(environment={}, response_limit=3))
    async with host:
        upstream = Upstream(Running(host))
        upstream.give = upstream.items
        with pytest.raises(Exception, match="larger than 3 bytes"):
            await host.call("front.watch")
