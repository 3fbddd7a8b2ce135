"""Tests of concurrency limits in the state store."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapter_host import MemoryStateStore
from adapter_host_resilience.shared_concurrency import LEASE_TIME

from .conftest import Api, Start
from .test_limits import LEVELS, refused

SHARED = {"concurrency": {"calls": 1, "shared": True, "wait": 0}}


@pytest.mark.parametrize(("policies", "name"), LEVELS)
async def test_concurrent_calls_are_limited(api: Api, start: Start, policies: Any, name: str) -> None:
    call = await start(**policies({"concurrency": {"calls": 2, "shared": True, "wait": 0}}))
    held = [api.hold(), api.hold()]
    tasks = [call.task(), call.task()]
    await api.requests(2)
    error = await refused(call)
    assert error.message == f"concurrency limit of '{name}' reached (2); retry in 1 s"
    assert error.retry_after == 1
    held[0].release.set()
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    assert await call() == {"ok": True}
    held[1].release.set()
    await asyncio.gather(*tasks)


async def test_calls_wait_in_a_bounded_queue(api: Api, start: Start) -> None:
    call = await start({"concurrency": {"calls": 1, "shared": True, "wait": 3600, "queue": 2}})
    held = api.hold()
    first = call.task()
    await api.requests(1)
    waiting = [call.task(), call.task()]
    await asyncio.wait(waiting, timeout=0.01)
    await refused(call)
    held.release.set()
    await asyncio.gather(first, *waiting)
    assert len(api.received) == 3


async def test_reload_keeps_the_calls_in_flight(api: Api, start: Start) -> None:
    call = await start(SHARED)
    held = api.hold()
    first = call.task()
    await api.requests(1)
    await call.host.reload()
    await refused(call)
    held.release.set()
    await first
    assert await call() == {"ok": True}


async def test_lease_is_renewed_during_the_call(api: Api, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    leases: list[str] = []
    renewed = asyncio.Event()
    lease = MemoryStateStore.lease

    async def recorded(self: MemoryStateStore, name: str, holder: str, limit: int, ttl: float) -> bool:
        leases.append(holder)
        assert (limit, ttl) == (1, LEASE_TIME)
        if len(leases) == 3:
            renewed.set()
        return await lease(self, name, holder, limit, ttl)

    monkeypatch.setattr(MemoryStateStore, "lease", recorded)
    monkeypatch.setattr("adapter_host_resilience.shared_concurrency.RENEWAL", 0.01)
    call = await start(SHARED)
    held = api.hold()
    task = call.task()
    await renewed.wait()
    assert len(set(leases)) == 1
    held.release.set()
    await task
    # The renewal ends with the last call.
    await asyncio.gather(*(each for each in asyncio.all_tasks() if "._renew" in repr(each)), return_exceptions=True)
