"""How many `tools/call` a second one core serves, with a trivial operation and with an upstream call.

Compared with the least that aiohttp can do, and with FastMCP's `from_openapi` where `make clients` has installed it.
Servers run on the first core, what loads them on the second; the upstream is on the second too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from yarl import URL

from adapter_host.testing import running

CONNECTIONS: Final = 32
FASTMCP: Final = Path(__file__).parents[2] / ".cache/fastmcp/bin/python"
ITEM: Final = b'{"id":7,"name":"a thing","price":1.5}'
META: Final = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
ACCEPT: Final = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
HANDSHAKE: Final = {**ACCEPT, "MCP-Protocol-Version": "2025-11-25"}
STATELESS: Final = {
    **ACCEPT, "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "get_item",
}  # fmt: skip
OPENAPI: Final = {
    "openapi": "3.1.0",
    "info": {"title": "Stock", "version": "1"},
    "paths": {"/item": {"get": {"operationId": "get_item", "responses": {"200": {"description": "An item"}}}}},
}


def call(**meta: Any) -> bytes:
    params: dict[str, Any] = {"name": "get_item", "arguments": {}, **({"_meta": meta} if meta else {})}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()


def document(upstream: str) -> dict[str, Any]:
    """A capability with one tool; of an API where one is given, and otherwise of nothing at all."""
    tool: dict[str, Any] = {"name": "get_item", "description": "Reads an item", "call": "stock.get"}
    operation = {"name": "get", "method": "GET"}
    if upstream:
        resources = [{"name": "item", "path": "/item", "operations": [operation]}]
        consumer = {"type": "http", "namespace": "stock", "baseUri": upstream, "resources": resources}
    else:
        consumer = {"type": "fake", "namespace": "stock", "operations": [operation]}
    exposed = {"type": "mcp", "namespace": "shop", "port": 0, "tools": [tool]}
    return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [consumer], "exposes": [exposed]}}


async def serve(kind: str, upstream: str) -> None:
    """Serve until killed; says where."""
    os.sched_setaffinity(0, {0})
    if kind == "bare":
        async with application(bare) as url:
            await announce(f"{url}/item")
    elif kind == "fastmcp":
        command = [str(FASTMCP), str(Path(__file__).with_name("fastmcp_server.py")), upstream, json.dumps(OPENAPI)]
        os.execv(command[0], command)
    else:
        async with running(document(upstream)) as served:
            if not upstream:
                served.fake("stock").answers["get"] = lambda _: {"id": 7, "name": "a thing", "price": 1.5}
            await announce(served.url("shop"))


async def announce(url: str) -> None:
    print(url, flush=True)
    await asyncio.Event().wait()


async def bare(request: web.Request) -> web.Response:
    json.loads(await request.read())
    return web.Response(body=ITEM, content_type="application/json")


async def item(_: web.Request) -> web.Response:
    return web.Response(body=ITEM, content_type="application/json")


@asynccontextmanager
async def application(handler: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/item", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def server(kind: str, upstream: str = "") -> AsyncIterator[URL]:
    """Another process that serves; gives its URL."""
    command = [sys.executable, __file__, "--serve", kind, "--upstream", upstream]
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE)
    try:
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().strip()
        if not url:
            sys.exit(f"the server '{kind}' did not start")
        yield URL(url)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def rate(url: URL, headers: Mapping[str, str], body: bytes, seconds: float) -> float:
    """Requests a second, over all connections."""
    given = {"Host": url.authority, **headers, "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    request = f"POST {url.path} HTTP/1.1\r\n{lines}\r\n".encode() + body
    began = time.perf_counter()
    counts = await asyncio.gather(*(load(url, request, began + seconds) for _ in range(CONNECTIONS)))
    return sum(counts) / (time.perf_counter() - began)


async def load(url: URL, request: bytes, end: float) -> int:
    reader, writer = await asyncio.open_connection(url.host, url.port)
    count = 0
    while time.perf_counter() < end:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        answer = await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r")[0]))
        if b" 200 " not in head or b'"error"' in answer or b"thing" not in answer:
            sys.exit(f"not an answer: {head.decode()}{answer.decode()}")
        count += 1
    writer.close()
    return count


async def compare(seconds: float, rounds: int) -> None:
    os.sched_setaffinity(0, {1})
    async with server("bare") as least, server("mcp") as ours:
        ways = {
            "bare aiohttp": (least, ACCEPT, call()),
            "handshake": (ours, HANDSHAKE, call()),
            "stateless": (ours, STATELESS, call(**META)),
        }
        await tell("trivial operation", ways, seconds, rounds)
    async with application(item) as upstream, server("mcp", upstream) as ours:
        ways = {"handshake": (ours, HANDSHAKE, call()), "stateless": (ours, STATELESS, call(**META))}
        if FASTMCP.exists():
            async with server("fastmcp", upstream) as theirs:
                await tell("upstream call", {"FastMCP": (theirs, HANDSHAKE, call()), **ways}, seconds, rounds)
        else:
            await tell("upstream call", ways, seconds, rounds)


async def tell(
    title: str, ways: Mapping[str, tuple[URL, Mapping[str, str], bytes]], seconds: float, rounds: int
) -> None:
    """The median of some rounds, and that of what each round is of the first way's."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (url, headers, body) in ways.items():
            rates[name].append(await rate(url, headers, body, seconds))
    first = next(iter(rates.values()))
    print(title)
    for name, found in rates.items():
        share = statistics.median(one / other for one, other in zip(found, first, strict=True))
        print(f"  {name:14} {statistics.median(found):8,.0f}/s  {share:6.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--upstream", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.serve, options.upstream))
    else:
        asyncio.run(compare(options.seconds, options.rounds))


if __name__ == "__main__":
    main()
