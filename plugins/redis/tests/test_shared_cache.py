"""Tests of kept responses that hosts share, with the server there and away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web
from redis.asyncio import Redis

import adapter_host_http
from adapter_host import Host, Plugins, Principal
from adapter_host.testing import FakePlugin, running

from .conftest import KEY, OTHER_KEY, Server, serving, stored

Start = Callable[..., Awaitable[Host]]


class Upstream:
    """An API that counts its requests."""

    def __init__(self) -> None:
        self.url = ""
        self.control = "max-age=3600"
        self.methods: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.arrived = asyncio.Event()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.methods.append(request.method)
        self.arrived.set()
        await self.open.wait()
        headers = {"Cache-Control": self.control, "ETag": '"t1"'}
        if "If-None-Match" in request.headers:
            return web.Response(status=304, headers=headers)
        return web.json_response({"secret-field": len(self.methods)}, headers=headers)


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    async with serving(upstream.serve) as upstream.url:
        yield upstream


@pytest.fixture
async def start(upstream: Upstream, prefix: str) -> AsyncIterator[Start]:
    """Start hosts that share a server and a prefix."""
    async with AsyncExitStack() as stack:

        async def start(server: Server, key: str = KEY) -> Host:
            operations = [{"name": "read", "method": "GET"}, {"name": "write", "method": "PUT"}]
            consumed = {
                "type": "http", "namespace": "things", "baseUri": upstream.url, "x-cache": True,
                "resources": [{"path": "/secret-path", "operations": operations}],
            }  # fmt: skip
            exposed = [{"name": name, "call": f"things.{name}"} for name in ("read", "write")]
            exposes = [{"type": "fake", "namespace": "front", "operations": exposed}]
            served = await stack.enter_async_context(
                running(
                    {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [consumed], "exposes": exposes}},
                    plugins=Plugins({"fake": FakePlugin(), "redis": server.plugin, "http": adapter_host_http}),
                    state=server.url,
                    state_prefix=prefix,
                    environment={"ADAPTER_HOST_STATE_KEY": key} if key else {},
                )
            )
            return served.host

        yield start


def consumer_of(host: Host) -> Any:
    return host.plans[0].consumers[0]


async def read(host: Host, caller: str | None = None) -> int:
    principal = None if caller is None else Principal(caller)
    number: int = (await host.call("front.read", {}, principal=principal)).data["secret-field"]
    return number


async def test_hosts_share_responses(upstream: Upstream, start: Start, shared_server: Server) -> None:
    first, second = await start(shared_server), await start(shared_server)
    assert [await read(host) for host in (first, second, first)] == [1, 1, 1]
    await second.call("front.write", {})
    assert [await read(host) for host in (first, second)] == [3, 3]
    assert upstream.methods == ["GET", "PUT", "GET"]


async def test_validation_by_another_host(upstream: Upstream, start: Start, shared_server: Server) -> None:
    upstream.control = "no-cache"
    hosts = [await start(shared_server), await start(shared_server)]
    assert [await read(host) for host in hosts * 2] == [1] * 4
    assert len(upstream.methods) == 4


async def test_one_host_revalidates_a_stale_response(upstream: Upstream, start: Start, shared_server: Server) -> None:
    upstream.control = "max-age=0, stale-while-revalidate=3600"
    hosts = [await start(shared_server), await start(shared_server)]
    assert await read(hosts[0]) == 1
    upstream.open.clear()
    upstream.arrived.clear()
    assert await read(hosts[0]) == 1
    await upstream.arrived.wait()
    assert [await read(host) for host in hosts * 3] == [1] * 6
    tasks = [tuple(consumer_of(host).cache._revalidations._tasks.values()) for host in hosts]
    await asyncio.gather(*tasks[1])
    upstream.open.set()
    await asyncio.gather(*tasks[0])
    assert upstream.methods == ["GET", "GET"]


async def test_callers_of_all_hosts(upstream: Upstream, start: Start, shared_server: Server) -> None:
    upstream.control = "private, max-age=3600"
    hosts = [await start(shared_server), await start(shared_server)]
    assert [await read(host, caller) for caller in ("ann", "bob") for host in hosts] == [1, 1, 2, 2]


async def test_nothing_in_the_store_is_readable(
    upstream: Upstream, start: Start, shared_server: Server, prefix: str
) -> None:
    upstream.control = "private, max-age=3600"
    await read(await start(shared_server), "ann")
    values = await stored(shared_server, prefix)
    assert len(values) == 2
    readable = b"".join(key + value for key, value in values.items())
    assert not any(word in readable for word in (b"secret", b"ann", b"t1", b"max-age"))
    async with Redis(port=shared_server.port) as client:
        assert all([0 < await client.ttl(key) <= 2 * 86_400 for key in values])


@pytest.mark.parametrize("key", ["", OTHER_KEY], ids=["no key", "other key"])
async def test_hosts_that_do_not_share(
    upstream: Upstream, start: Start, shared_server: Server, prefix: str, key: str
) -> None:
    first, other = await start(shared_server), await start(shared_server, key)
    assert [await read(host) for host in (first, other, first, other)] == [1, 2, 1, 2]
    assert len(await stored(shared_server, prefix)) == (4 if key else 2)


async def test_changed_values_are_not_used(
    upstream: Upstream, start: Start, shared_server: Server, prefix: str
) -> None:
    host = await start(shared_server)
    await read(host)
    async with Redis(port=shared_server.port) as client:
        for key, value in (await stored(shared_server, prefix)).items():
            await client.set(key, value[:-1] + bytes([value[-1] ^ 1]))
    assert [await read(host), await read(host)] == [2, 2]


async def test_concurrent_responses_of_hosts(upstream: Upstream, start: Start, shared_server: Server) -> None:
    hosts = [await start(shared_server), await start(shared_server)]
    await asyncio.gather(*(read(host) for host in hosts * 10))
    requests = len(upstream.methods)
    assert requests <= 2
    await asyncio.gather(*(read(host) for host in hosts * 10))
    assert len(upstream.methods) == requests


async def test_server_that_is_away(upstream: Upstream, start: Start, server: Server) -> None:
    host = await start(server)
    await read(host)
    server.stop()
    assert [await read(host), await read(host)] == [2, 3]
    await host.call("front.write", {})
    assert upstream.methods == ["GET", "GET", "GET", "PUT"]
