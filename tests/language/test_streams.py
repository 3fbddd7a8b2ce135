"""Streams of events from an API to the clients of REST and MCP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx2
import pytest
from aiohttp import web
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.dispatcher import ProgressFnT
from mcp_types import TextContent

from tests.support.rest_and_mcp import Offered, offering, operation, resource, tool

SSE = "text/event-stream"
TRANSPORTS = pytest.mark.parametrize("transport", ["native", "aiohttp"])


class EventSource:
    """An API that sends the pieces that a test puts into its queue; None ends the response."""

    def __init__(self, media_type: str = SSE) -> None:
        self.pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.gone = asyncio.Event()
        self.accepted = ""
        self._media_type = media_type

    async def respond(self, request: web.Request) -> web.StreamResponse:
        self.accepted = request.headers["Accept"]
        response = web.StreamResponse(headers={"Content-Type": self._media_type})
        await response.prepare(request)
        try:
            while (piece := await self.pieces.get()) is not None:
                await response.write(piece)
        except (asyncio.CancelledError, ConnectionError):
            self.gone.set()
            raise
        return response


@asynccontextmanager
async def streaming(source: EventSource, transport: str = "native", **keys: Any) -> AsyncIterator[Offered]:
    """Serve an API that streams, as it comes and mapped."""
    declared = keys.pop("declared", {})
    settings = keys.pop("settings", None)
    outputs = [{"type": "object", "properties": {"text": {"type": "string", "mapping": "$.delta.text"}}}]
    async with offering(
        resource("/e", operation("watch", **declared)),
        rest=[
            resource("/e", {"method": "GET", "name": "watch", "call": "api.watch"}),
            resource("/m", {"method": "GET", "name": "mapped", "call": "api.watch", "outputParameters": outputs}),
        ],
        tools=[tool("watch", call="api.watch"), tool("mapped", call="api.watch", outputParameters=outputs)],
        consumer={"x-transport": transport},
        settings=settings,
    ) as offered:
        offered.api.reply = source.respond
        yield offered


@asynccontextmanager
async def receiving(offered: Offered, path: str) -> AsyncIterator[aiohttp.ClientResponse]:
    async with aiohttp.ClientSession() as session, session.get(offered.served.url("site") + path) as response:
        assert response.status == 200
        yield response


@TRANSPORTS
@pytest.mark.parametrize("media_type", [SSE, "application/x-ndjson"])
async def test_events_pass_before_the_next_one_is_sent(transport: str, media_type: str) -> None:
    source = EventSource(media_type)
    async with streaming(source, transport) as offered:
        await source.pieces.put(b"data: 1\n\n")
        async with receiving(offered, "/e") as response:
            assert response.headers["Content-Type"] == media_type
            assert await response.content.readany() == b"data: 1\n\n"
            await source.pieces.put(b": any bytes")
            assert await response.content.readany() == b": any bytes"
            await source.pieces.put(None)
            assert await response.content.read() == b""


@TRANSPORTS
async def test_events_are_mapped_one_by_one(transport: str) -> None:
    source = EventSource()
    async with streaming(source, transport) as offered:
        await source.pieces.put(b'id: 1\ndata: {"delta": {"text": "He"}}\n')
        await source.pieces.put(b'\ndata: {"delta": {"text": "llo"}}\n\n')
        async with receiving(offered, "/m") as response:
            assert response.headers["Content-Type"] == SSE
            received = b""
            while received.count(b"\n\n") < 2:
                received += await response.content.readany()
            assert received == b'id: 1\ndata: {"text":"He"}\n\ndata: {"text":"llo"}\n\n'
            await source.pieces.put(b"data: [DONE]\n\n")
            await source.pieces.put(None)
            assert await response.content.read() == b"data: [DONE]\n\n"


@TRANSPORTS
@pytest.mark.parametrize("path", ["/e", "/m"])
async def test_a_client_that_goes_away_ends_the_stream_of_the_api(transport: str, path: str) -> None:
    source = EventSource()
    async with streaming(source, transport) as offered:
        await source.pieces.put(b"data: 1\n\n")
        async with receiving(offered, path) as response:
            await response.content.readany()
            response.close()
        # The API is silent: it is its connection that ends.
        await asyncio.wait_for(source.gone.wait(), 30)


async def test_head_does_not_leave_the_stream_open() -> None:
    source = EventSource()
    async with streaming(source) as offered, aiohttp.ClientSession() as session:
        async with session.head(offered.served.url("site") + "/m") as response:
            assert (response.status, await response.read()) == (200, b"")
        await asyncio.wait_for(source.gone.wait(), 30)


async def test_pauses_are_limited_and_not_the_whole_stream() -> None:
    source = EventSource()
    async with streaming(source, settings={"total_timeout": 0.3}) as offered:
        await source.pieces.put(b"data: 0\n\n")
        async with receiving(offered, "/e") as response:
            loop = asyncio.get_running_loop()
            started, count = loop.time(), 0
            while loop.time() < started + 0.6:
                assert await response.content.readany() == b"data: %d\n\n" % count
                count += 1
                await source.pieces.put(b"data: %d\n\n" % count)
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.content.read()
        await asyncio.wait_for(source.gone.wait(), 30)


async def call_with_progress(offered: Offered, name: str) -> tuple[list[tuple[float, str | None]], str]:
    """Call a tool; return its progress and its text."""
    noted: list[tuple[float, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        noted.append((progress, message))

    return noted, await call_watched(offered, name, note)


async def call_watched(offered: Offered, name: str, callback: ProgressFnT) -> str:
    """Call a tool with a progress callback; return its text."""
    async with (
        httpx2.AsyncClient() as http_client,
        Client(streamable_http_client(offered.served.url("agent"), http_client=http_client)) as client,
    ):
        result = await client.call_tool(name, {}, progress_callback=callback)
    (content,) = result.content
    assert isinstance(content, TextContent)
    assert not result.is_error, content.text
    return content.text


async def test_events_are_progress_and_the_result_holds_them() -> None:
    source = EventSource()
    for piece in (b"data: 1\n\n", b": ping\n\n", b'event: x\ndata: {"a": 2}\n\n', None):
        await source.pieces.put(piece)
    async with streaming(source) as offered:
        progress, text = await call_with_progress(offered, "watch")
    assert progress == [(1, "1"), (2, '{"a": 2}')]
    assert text == '1\n{"a": 2}'


async def test_each_event_is_progress_before_the_next_one() -> None:
    source = EventSource()
    await source.pieces.put(b"data: 1\n\n")
    async with streaming(source) as offered:

        async def note(progress: float, total: float | None, message: str | None) -> None:
            # The API sends the next event only now.
            await source.pieces.put(None if progress == 3 else b"data: %d\n\n" % (progress + 1))

        assert await call_watched(offered, "watch", note) == "1\n2\n3"


async def test_declared_events_are_mapped_for_tools() -> None:
    source = EventSource()
    for piece in (b'data: {"delta": {"text": "a"}}\n\n', b"data: [DONE]\n\n", None):
        await source.pieces.put(piece)
    async with streaming(source, declared={"outputMediaType": SSE}) as offered:
        progress, text = await call_with_progress(offered, "mapped")
        assert source.accepted == SSE
    assert progress == [(1, '{"text":"a"}'), (2, "[DONE]")]
    assert text == '{"text":"a"}\n[DONE]'


async def test_an_endless_stream_is_cut_at_the_limit() -> None:
    source = EventSource()
    for _ in range(30):
        await source.pieces.put(b"data: 123456789\n\n")
    async with streaming(source, settings={"response_limit": 100}) as offered:
        result = await offered.tool("watch")
        await asyncio.wait_for(source.gone.wait(), 30)
    *events, note = result.text.splitlines()
    assert events == ["123456789"] * 10
    assert "the first 10 events" in note
    assert not result.failed


async def test_a_large_response_of_another_type_is_mapped_as_a_whole() -> None:
    padding = "x" * 200_000
    async with streaming(EventSource()) as offered:
        offered.respond_with({"delta": {"text": "all"}, "padding": padding})
        assert (await offered.rest("GET", "/m")).data == {"text": "all"}
        assert (await offered.tool("watch")).data["padding"] == padding
        # One line is one event, whatever its length says.
        offered.respond_with({"delta": {"text": "all"}, "padding": padding}, media_type="application/x-ndjson")
        assert (await offered.rest("GET", "/m")).data == {"text": "all"}
