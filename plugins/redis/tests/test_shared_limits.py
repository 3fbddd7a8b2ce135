"""Tests of rate limits that two hosts share, with the server there and away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis.asyncio import Redis

import adapter_host_resilience
from adapter_host import Host, OperationError, Plugins, Principal, StoreUnavailableError
from adapter_host.testing import FakePlugin, running

from .conftest import Clock, PatientPlugin, Server

Start = Callable[..., Awaitable[Host]]


def document(**rate: Any) -> dict[str, Any]:
    limits = {"rate": {"calls": 10, "per": 36000, "by": "caller", "wait": 0, **rate}}
    consumed = {"type": "fake", "namespace": "things", "operations": [{"name": "read", "result": "fine"}]}
    operation = {"name": "read", "call": "things.read", "x-resilience": limits}
    exposed = {"type": "fake", "namespace": "front", "operations": [operation]}
    return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [consumed], "exposes": [exposed]}}


@pytest.fixture
async def start(server: Server) -> AsyncIterator[Start]:
    """Start hosts that share the server and a clock."""
    clock = Clock(now=1_000_000.0)
    plugins = {"fake": FakePlugin(), "redis": server.plugin, "resilience": adapter_host_resilience}
    async with AsyncExitStack() as stack:

        async def start(**rate: Any) -> Host:
            served = await stack.enter_async_context(
                running(document(**rate), plugins=Plugins(plugins), state=server.url)
            )
            replicas = served.host._shared_state["resilience.replicas"]
            replicas.clock = clock
            return served.host

        start.clock = clock  # type: ignore[attr-defined]
        yield start


async def allowed(host: Host, calls: int, subject: str = "ada") -> int:
    """Make calls at once, and return how many were allowed."""
    principal = Principal(subject)
    results = await asyncio.gather(
        *(host.call("front.read", {}, principal=principal) for _ in range(calls)), return_exceptions=True
    )
    assert all(not isinstance(each, BaseException) or isinstance(each, OperationError) for each in results)
    return sum(not isinstance(each, BaseException) for each in results)


async def test_two_hosts_never_exceed_the_limit(server: Server, start: Start) -> None:
    server.plugin = PatientPlugin()
    hosts = [await start(), await start()]
    counts = await asyncio.gather(*(allowed(host, 50) for host in hosts))
    assert sum(counts) == 10
    assert await allowed(hosts[0], 50, "bob") == 10
    assert await allowed(hosts[1], 50, "bob") == 0


async def test_hosts_with_another_limit_count_separately(server: Server, start: Start) -> None:
    server.plugin = PatientPlugin()
    assert await allowed(await start(), 20) == 10
    assert await allowed(await start(calls=3), 20) == 3


@pytest.mark.parametrize("how", ["pause", "stop"])
async def test_each_host_has_its_share_while_the_server_is_away(server: Server, start: Start, how: str) -> None:
    hosts = [await start(), await start()]
    for host in hosts:
        assert await allowed(host, 1) == 1
    start.clock.now += 1  # type: ignore[attr-defined]
    for host in hosts:
        assert await allowed(host, 1, "bob") == 1
    getattr(server, how)()
    # Half of the limit is five calls, of which each host has used one.
    assert [await allowed(host, 40) for host in hosts] == [4, 4]
    assert [await allowed(host, 40) for host in hosts] == [0, 0]
    assert [await allowed(host, 40, "eve") for host in hosts] == [5, 5]


async def test_refused_while_the_server_is_away(server: Server, start: Start) -> None:
    host = await start(whenUnavailable="refuse")
    assert await allowed(host, 3) == 3
    server.pause()
    with pytest.raises(StoreUnavailableError) as caught:
        await host.call("front.read", {}, principal=Principal("ada"))
    assert caught.value.retry_after is not None
    assert "127.0.0.1" not in caught.value.message
    assert await allowed(host, 20) == 0
    server.resume()
    await recover(host, server)
    assert await allowed(host, 20, "bob") == 10


async def test_server_that_returns_has_kept_the_quota(server: Server, start: Start) -> None:
    hosts = [await start(), await start()]
    assert sum([await allowed(host, 4) for host in hosts]) == 8
    server.pause()
    for host in hosts:
        await allowed(host, 20)
    server.resume()
    for host in hosts:
        await recover(host, server)
    # Requests that the paused server had received before it was resumed may count.
    assert sum([await allowed(host, 20) for host in hosts]) <= 2


async def recover(host: Host, server: Server) -> None:
    """Wait until the host uses the server again; the server's own timer is the pause between two attempts."""
    async with Redis(port=server.port) as timer:
        while True:
            try:
                await host.state.get("key")
            except StoreUnavailableError:
                await timer.blpop(["no-such-list"], timeout=0.1)
            else:
                return
