"""Tests of concurrency limits that two hosts share, with the server there and away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

import adapter_host_resilience
from adapter_host import Arguments, Host, Operation, OperationError, Plugins, Result, StoreUnavailableError, hookimpl
from adapter_host.testing import FakePlugin, running

from .conftest import Server


class Work:
    """Calls that last until they are released; it counts those in flight, of all hosts."""

    def __init__(self) -> None:
        self.in_flight = self.most = 0
        self.released = asyncio.Event()
        self._changed = asyncio.Condition()

    @hookimpl
    def operation_wrapper(self, operation: Operation) -> Callable[[Any], Any]:
        return lambda call: self._run

    async def _run(self, arguments: Arguments) -> Result:
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        async with self._changed:
            self._changed.notify_all()
        try:
            await self.released.wait()
        finally:
            self.in_flight -= 1
        return Result(data=None)

    async def wait_for(self, calls: int) -> None:
        """Wait until so many calls are in flight."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.in_flight >= calls)


Start = Callable[..., Awaitable[Host]]


@pytest.fixture
async def work() -> Work:
    return Work()


@pytest.fixture
async def start(work: Work, prefix: str) -> AsyncIterator[Start]:
    """Start hosts that share a server and a prefix."""
    async with AsyncExitStack() as stack:

        async def start(server: Server, **limit: Any) -> Host:
            limits = {"concurrency": {"calls": 4, "shared": True, "wait": 0, **limit}}
            consumed = {"type": "fake", "namespace": "things", "operations": [{"name": "read"}]}
            operation = {"name": "read", "call": "things.read", "x-resilience": limits}
            exposed = {"type": "fake", "namespace": "front", "operations": [operation]}
            document = {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [consumed], "exposes": [exposed]}}
            # The wrapper of the plugin that is registered first is the innermost.
            plugins = {
                "fake": FakePlugin(), "redis": server.plugin, "work": work, "resilience": adapter_host_resilience,
            }  # fmt: skip
            served = await stack.enter_async_context(
                running(document, plugins=Plugins(plugins), state=server.url, state_prefix=prefix)
            )
            return served.host

        yield start
        work.released.set()


def calls(count: int, *hosts: Host) -> list[asyncio.Task[Any]]:
    return [asyncio.create_task(host.call("front.read", {})) for host in hosts for _ in range(count)]


async def refused(tasks: list[asyncio.Task[Any]], most: int) -> int:
    """Wait until no more than `most` calls are left, and return how many were refused."""
    left = set(tasks)
    while len(left) > most:
        done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        assert all(isinstance(each.exception(), OperationError) for each in done)
    return len(tasks) - len(left)


async def test_two_hosts_never_exceed_the_limit(start: Start, work: Work, shared_server: Server) -> None:
    tasks = calls(20, await start(shared_server), await start(shared_server))
    assert await refused(tasks, 4) == 36
    await work.wait_for(4)
    work.released.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert work.most == 4


async def test_waiting_calls_follow(start: Start, work: Work, shared_server: Server) -> None:
    hosts = [await start(shared_server, wait=3600), await start(shared_server, wait=3600)]
    tasks = calls(6, *hosts)
    await work.wait_for(4)
    work.released.set()
    await asyncio.gather(*tasks)
    assert work.most <= 4


async def test_leases_of_a_dead_replica_end(
    start: Start, work: Work, shared_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapter_host_resilience.shared_concurrency.LEASE_TIME", 0.3)
    hung, alive = await start(shared_server), await start(shared_server, wait=3600)
    first = calls(4, hung)
    await work.wait_for(4)
    others = calls(4, alive)
    await work.wait_for(8)
    work.released.set()
    await asyncio.gather(*first, *others)


@pytest.mark.parametrize("how", ["pause", "stop"])
async def test_each_host_has_its_share_while_the_server_is_away(
    start: Start, work: Work, server: Server, how: str
) -> None:
    hosts = [await start(server), await start(server)]
    work.released.set()
    await asyncio.gather(*calls(1, *hosts, *hosts))
    work.released.clear()
    for host in hosts:
        host._shared_state["resilience.replicas"].count = 2
    getattr(server, how)()
    for host in hosts:
        assert await refused(calls(10, host), 2) == 8


async def test_refused_while_the_server_is_away(start: Start, work: Work, server: Server) -> None:
    host = await start(server, whenUnavailable="refuse")
    first = calls(1, host)
    await work.wait_for(1)
    server.stop()
    with pytest.raises(StoreUnavailableError):
        await host.call("front.read", {})
    # A call in flight is not disturbed.
    work.released.set()
    await asyncio.gather(*first)
