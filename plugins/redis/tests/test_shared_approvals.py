"""Approvals through two hosts that share a server: decided at one, used at the other, and made once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

import adapter_host_approval
from adapter_host import ApprovalRequiredError, Host, OperationError, Plugins, StoreUnavailableError, UpstreamError
from adapter_host.testing import FakePlugin, Running, running
from adapter_host_approval import Approvals

from .conftest import KEY, Server

Start = Callable[..., Awaitable[Running]]


@pytest.fixture
async def start(prefix: str) -> AsyncIterator[Start]:
    """Start hosts that share a server and a prefix."""
    async with AsyncExitStack() as stack:

        async def start(server: Server) -> Running:
            consumed = {"type": "fake", "namespace": "shop", "operations": [{"name": "refund"}]}
            operation = {"name": "refund", "call": "shop.refund", "x-approval": True}
            exposed = {"type": "fake", "namespace": "front", "operations": [operation]}
            served = running(
                {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [consumed], "exposes": [exposed]}},
                plugins=Plugins({"approval": adapter_host_approval, "fake": FakePlugin(), "redis": server.plugin}),
                state=server.url,
                state_prefix=prefix,
                environment={"ADAPTER_HOST_STATE_KEY": KEY},
            )
            return await stack.enter_async_context(served)

        yield start


async def approve(host: Host) -> None:
    """Ask for an approval, and approve it."""
    with pytest.raises(ApprovalRequiredError):
        await host.call("front.refund")
    approvals = Approvals.of(host.plans[0].exposers[0].exposer.context)
    (waiting,) = await approvals.waiting()
    await approvals.decide(waiting.id, approve=True, principal=None)


async def test_approved_call_is_made_once_by_any_replica(shared_server: Server, start: Start) -> None:
    first, second = await start(shared_server), await start(shared_server)
    await approve(first.host)
    calls = [served.host.call("front.refund") for served in (first, second) for _ in range(10)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(not isinstance(each, OperationError) for each in results) == 1
    assert sum(len(served.fake("shop").calls) for served in (first, second)) == 1


async def test_outcome_is_unknown_after_the_end_of_a_replica(shared_server: Server, start: Start, prefix: str) -> None:
    first, second = await start(shared_server), await start(shared_server)
    await approve(first.host)
    hold = first.fake("shop").hold("refund")
    task = asyncio.create_task(first.host.call("front.refund"))
    await hold.entered.wait()
    with pytest.raises(OperationError, match="is in progress"):
        await second.host.call("front.refund")
    async with Redis.from_url(shared_server.url) as redis:
        # The lease of a killed replica ends on its own, after some seconds.
        leases = [key async for key in redis.scan_iter(f"*{prefix}*") if await redis.type(key) == b"zset"]
        assert await redis.delete(*leases) == 1
    with pytest.raises(UpstreamError, match="its outcome is unknown"):
        await second.host.call("front.refund")
    assert second.fake("shop").calls == []
    hold.release.set()
    await task


async def test_nothing_is_called_while_the_server_is_away(server: Server, start: Start) -> None:
    served = await start(server)
    await approve(served.host)
    server.stop()
    with pytest.raises(StoreUnavailableError):
        await served.host.call("front.refund")
    assert served.fake("shop").calls == []
