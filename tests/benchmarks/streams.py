"""Streams: the time from an event that the API sends to its arrival at a client, for the first event of each stream."""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml
from aiohttp import web
from mcp import Client

from .contenders import COMMAND
from .machine import LOADING, pinned
from .results import Run
from .server import Server, UnfitError, free_port
from .workload import Request

_PAUSE: Final = 0.01
"""The seconds from the head of a response to its first event."""
_SENT: Final = re.compile(rb'"sent": ?(\d+)')
_PATH: Final = "/events"

FirstEvent = Callable[[], Awaitable[int]]
"""Opens a stream, and returns the nanoseconds from sending its first event to its arrival."""


def document(upstream: str, rest: int, mcp: int) -> dict[str, Any]:
    """Return a capability with a stream as a route, as it comes and mapped, and as a tool."""
    operation = {"name": "watch", "method": "GET", "outputRawFormat": "json", "outputMediaType": "text/event-stream"}
    mapping = {"type": "object", "properties": {"sent": {"type": "integer", "mapping": "$.sent"}}}
    routes = [
        {"path": _PATH, "operations": [{"method": "GET", "name": "events", "call": "api.watch"}]},
        {
            "path": "/mapped",
            "operations": [{"method": "GET", "name": "mapped", "call": "api.watch", "outputParameters": [mapping]}],
        },
    ]
    tool = {"name": "watch", "description": "Watch events", "call": "api.watch"}
    consumed = {
        "type": "http",
        "namespace": "api",
        "baseUri": upstream,
        "resources": [{"name": "events", "path": _PATH, "operations": [operation]}],
    }
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Events", "description": "Streams"},
        "capability": {
            "consumes": [consumed],
            "exposes": [
                {"type": "rest", "namespace": "rest", "port": rest, "resources": routes},
                {"type": "mcp", "namespace": "mcp", "port": mcp, "description": "Streams", "tools": [tool]},
            ],
        },
    }


async def _send_events(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for _ in range(3):
        await asyncio.sleep(_PAUSE)
        await response.write(b"data: " + json.dumps({"sent": time.perf_counter_ns()}).encode() + b"\n\n")
    return response


@asynccontextmanager
async def _serving_events() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get(_PATH, _send_events)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _reader(session: aiohttp.ClientSession, url: str) -> FirstEvent:
    async def first_event() -> int:
        async with session.get(url) as response:
            received = b""
            while (match := _SENT.search(received)) is None:
                chunk = await response.content.readany()
                if not chunk:
                    raise UnfitError(f"{url} sends no event: {response.status} {received[:300]!r}")
                received += chunk
            took = time.perf_counter_ns() - int(match[1])
            await response.read()
        return took

    return first_event


def _caller(client: Client) -> FirstEvent:
    async def first_event() -> int:
        arrived: list[int] = []

        async def note(progress: float, total: float | None, message: str | None) -> None:
            if (match := _SENT.search((message or "").encode())) is not None:
                arrived.append(time.perf_counter_ns() - int(match[1]))

        result = await client.call_tool("watch", {}, progress_callback=note)
        if result.is_error or not arrived:
            raise UnfitError(f"the tool sends no event: {result.content}")
        return arrived[0]

    return first_event


def measure_streams(run: Run, folder: Path, *, quick: bool) -> None:
    """Measure the first events of streams, and add them to a run."""
    asyncio.run(_measure(run, folder, 20 if quick else 200))


async def _measure(run: Run, folder: Path, count: int) -> None:
    with pinned(LOADING):
        async with _serving_events() as upstream, aiohttp.ClientSession() as session:
            rest, mcp = free_port(), free_port()
            path = folder / "events.yaml"
            path.write_text(yaml.safe_dump(document(upstream, rest, mcp)))
            server = Server("adapter-host, streams", [str(COMMAND), "serve", str(path)])
            ready = Request(rest, "/openapi.json", method="GET", expected=b"openapi")
            try:
                await asyncio.to_thread(server.start, ready)
                async with Client(f"http://127.0.0.1:{mcp}/mcp") as client:
                    ways: dict[str, FirstEvent] = {
                        "directly": _reader(session, f"{upstream}{_PATH}"),
                        "REST": _reader(session, f"http://127.0.0.1:{rest}{_PATH}"),
                        "REST, mapped": _reader(session, f"http://127.0.0.1:{rest}/mapped"),
                        "MCP": _caller(client),
                    }
                    for name, first_event in ways.items():
                        await first_event()
                        _add(run, name, [await first_event() / 1e6 for _ in range(count)])
            finally:
                server.stop()


def _add(run: Run, way: str, times: list[float]) -> None:
    """Record times in milliseconds as numbers and as table cells."""
    found = {"p50": statistics.median(times), "p99": sorted(times)[len(times) * 99 // 100], "most": max(times)}
    shown = {"": way, **{f"{name} ms": f"{value:.2f}" for name, value in found.items()}}
    print(f"first event, {', '.join(shown.values())}", file=sys.stderr, flush=True)
    run.streams.append({"kind": "First event of a stream", "shown": shown, **found})
