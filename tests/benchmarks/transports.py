"""The cost of an upstream call over each transport: CPU microseconds of the calling process for a request.

Every contender is a server that forwards a POST to an API and returns the response. The benchmark compares CPU time
instead of rates, since it does not depend on the load of the machine. Clients that are not installed are skipped.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast

import aiohttp
import uvloop
from aiohttp import web
from yarl import URL

from adapter_host.testing import running
from adapter_host_http.request.request import PreparedHeaders, Request
from adapter_host_http.transport.base import Limits, Origin
from adapter_host_http.transport.native import NativeTransport

CONNECTIONS: Final = 16
TOKEN: Final = "benchmark-token"
ORDER: Final = b'{"sku":"A-100","quantity":2,"note":"before noon"}'
ITEM: Final = b'{"id":7,"status":"open","customer":{"id":42,"name":"Ada Lovelace"},"note":"%b"}' % (b"." * 220)
HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nServer: api\r\nDate: Thu, 26 Nov 2026 08:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: keep-alive\r\nX-Request-Id: 0123456789abcdef\r\n\r\n" % len(ITEM)
)
TICKS: Final = os.sysconf("SC_CLK_TCK")

Forward = Callable[[bytes], Awaitable[bytes]]


class Api(asyncio.Protocol):
    """The minimal API: sends a response to a request that arrives in one piece."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._came = b""

    def data_received(self, data: bytes) -> None:
        self._came += data
        if self._came.endswith(ORDER):
            self._came = b""
            self._transport.write(HEAD + ITEM)


class Load(asyncio.Protocol):
    """A connection that sends the next request as soon as it has a response."""

    count = 0

    def __init__(self, port: int) -> None:
        head = f"POST /orders HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        self._request = head.encode() + b"Content-Length: %d\r\n\r\n" % len(ORDER) + ORDER
        self._came = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._came += data
        if ITEM in self._came:
            assert self._came.startswith(b"HTTP/1.1 200")
            Load.count += 1
            self._came = b""
            self._transport.write(self._request)


async def aiohttp_client(url: str, headers: Mapping[str, str]) -> Forward:
    session = aiohttp.ClientSession(headers=headers)

    async def forward(body: bytes) -> bytes:
        async with session.post(url, data=body) as response:
            return await response.read()

    return forward


async def pyreqwest(url: str, headers: Mapping[str, str]) -> Forward:
    from pyreqwest.client import ClientBuilder

    client = ClientBuilder().default_headers(dict(headers)).build()

    async def forward(body: bytes) -> bytes:
        response = await client.post(url).body_bytes(body).build().send()
        return bytes(await response.bytes())

    return forward


async def wreq(url: str, headers: Mapping[str, str]) -> Forward:
    from wreq import Client

    client = Client()

    async def forward(body: bytes) -> bytes:
        response = await client.post(url, body=body, headers=dict(headers))
        return bytes(await response.bytes())

    return forward


async def httpr(url: str, headers: Mapping[str, str]) -> Forward:
    import httpr

    client = httpr.AsyncClient(headers=dict(headers))

    async def forward(body: bytes) -> bytes:
        return bytes((await client.post(url, content=body)).content)

    return forward


async def niquests(url: str, headers: Mapping[str, str]) -> Forward:
    from niquests import AsyncSession

    session = AsyncSession()

    async def forward(body: bytes) -> bytes:
        return (await session.post(url, data=body, headers=dict(headers))).content or b""

    return forward


async def native(url: str, headers: Mapping[str, str]) -> Forward:
    target = URL(url)
    origin = Origin("http", target.raw_host or "", target.port or 0, target.host_port_subcomponent or "")
    transport = NativeTransport(origin, Limits(connect_timeout=5, idle_timeout=60))
    await transport.open()
    prepared = PreparedHeaders(headers.items())

    async def forward(body: bytes) -> bytes:
        deadline = asyncio.get_running_loop().time() + 60
        response = await transport.send(
            "POST", Request("/orders", prepared, {}, body), deadline=deadline, buffer_limit=2**20
        )
        return response.body or b""

    return forward


CLIENTS: Final = {
    "native": native,
    "aiohttp": aiohttp_client,
    "pyreqwest": pyreqwest,
    "wreq": wreq,
    "httpr": httpr,
    "niquests": niquests,
}
HOST: Final = "adapter-host, "
CONTENDERS: Final = ("nothing", *CLIENTS, f"{HOST}aiohttp", f"{HOST}native")


def document(base: str, transport: str) -> dict[str, Any]:
    operation = {"name": "create", "method": "POST", "body": "{{order}}"}
    consumer = {
        "type": "http",
        "namespace": "shop",
        "baseUri": base,
        "x-transport": transport,
        "authentication": {"type": "bearer", "token": TOKEN},
        "resources": [{"name": "orders", "path": "/orders", "operations": [operation]}],
    }
    exposed = {
        "method": "POST",
        "name": "create",
        "call": "shop.create",
        "with": {"order": "{{body}}"},
        "inputParameters": [{"name": "body", "in": "body", "type": "object"}],
    }
    resources = [{"path": "/orders", "operations": [exposed]}]
    rest = {"type": "rest", "namespace": "orders", "port": 0, "resources": resources}
    return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [consumer], "exposes": [rest]}}


async def serve(contender: str, base: str) -> None:
    """Run one contender until it is killed."""
    if contender.startswith(HOST):
        async with running(document(base, contender.removeprefix(HOST))) as served:
            await announce(served.url("orders"))
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    forward = await CLIENTS[contender](f"{base}/orders", headers) if contender in CLIENTS else None

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        response = await forward(body) if forward is not None else ITEM
        return web.Response(body=response, content_type="application/json")

    app = web.Application()
    app.router.add_post("/orders", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    await announce(f"http://127.0.0.1:{runner.addresses[0][1]}")


async def announce(url: str) -> None:
    print(url, flush=True)
    await asyncio.Event().wait()


def used(process: int) -> float:
    """Return the CPU seconds of a process."""
    with open(f"/proc/{process}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def measure(contender: str, base: str, seconds: float) -> float | None:
    """Return microseconds per request, or None if the client is not installed."""
    server = await asyncio.create_subprocess_exec(sys.executable, __file__, "--serve", contender, base, stdout=PIPE)
    assert server.stdout is not None
    try:
        url = (await server.stdout.readline()).decode().strip()
        return await load(server.pid, int(url.rpartition(":")[2]), seconds) if url else None
    finally:
        if server.returncode is None:
            server.kill()
        await server.wait()


async def load(process: int, port: int, seconds: float) -> float:
    """Send requests continuously, and return the CPU microseconds per request."""
    loop = asyncio.get_running_loop()
    opened = [await loop.create_connection(lambda: Load(port), "127.0.0.1", port) for _ in range(CONNECTIONS)]
    await asyncio.sleep(seconds / 4)
    count, begun = Load.count, used(process)
    await asyncio.sleep(seconds)
    spent, count = used(process) - begun, Load.count - count
    for transport, _ in opened:
        transport.abort()
    return spent / count * 1e6


async def main(seconds: float, rounds: int, names: list[str]) -> None:
    """Measure all clients in turn and print the minimum of each, because anything above is noise."""
    api = await asyncio.get_running_loop().create_server(Api, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{api.sockets[0].getsockname()[1]}"
    least: dict[str, float] = {}
    for _ in range(rounds):
        for name in names:
            if (found := await measure(name, base, seconds)) is not None:
                least[name] = min(found, least.get(name, found))
    for name, found in least.items():
        print(f"{name:24} {found:7.1f} µs  {least.get('aiohttp', found) / found:5.2f} of aiohttp's proxy")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contenders", nargs="*", default=CONTENDERS, metavar="contender", help=", ".join(CONTENDERS))
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    task = serve(*given.serve) if given.serve else main(given.seconds, given.rounds, given.contenders)
    uvloop.run(task)
