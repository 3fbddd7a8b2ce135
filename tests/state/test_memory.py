"""Tests of the state store in memory: the contract, its bounds, and the end of slow subscriptions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from adapter_host import MemoryStateStore, StateStore, StoreUnavailableError
from adapter_host.testing import StateStoreContract


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Stores:
    """A store whose clock the tests advance."""

    def __init__(self) -> None:
        self._clock = Clock()
        self.store: StateStore = MemoryStateStore(clock=self._clock)
        self.other = self.store

    async def elapse(self, seconds: float) -> None:
        self._clock.now += seconds


class TestMemoryStore(StateStoreContract):
    @asynccontextmanager
    async def stores(self) -> AsyncIterator[Stores]:
        yield Stores()


class WatchedRenewals(MemoryStateStore):
    """A store that is away at the second call of `lease`, and sets `renewed` at the third."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.renewed = asyncio.Event()

    async def lease(self, name: str, holder: str, limit: int, ttl: float) -> bool:
        self.calls += 1
        if self.calls == 2:
            raise StoreUnavailableError("the store is away")
        is_held = await super().lease(name, holder, limit, 3600)
        if self.calls == 3:
            self.renewed.set()
        return is_held


async def test_held_lease_is_renewed_although_the_store_was_away() -> None:
    store = WatchedRenewals()
    async with store.namespaced("calls").hold_lease("one", 0.01) as held:
        assert held
        await store.renewed.wait()
        assert not await MemoryStateStore.lease(store, "calls:one", "another", 1, 3600)
    assert await MemoryStateStore.lease(store, "calls:one", "another", 1, 3600)


async def test_lease_of_others_is_not_held() -> None:
    store = MemoryStateStore()
    async with store.hold_lease("one", 3600, limit=2) as first, store.hold_lease("one", 3600, limit=2) as second:
        assert (first, second) == (True, True)
        async with store.hold_lease("one", 3600, limit=2) as third:
            assert third is False
        # The end of a block without a lease ends no lease of others.
        assert not await store.lease("one", "another", 2, 3600)


async def test_full_store_drops_what_expires_next() -> None:
    store = MemoryStateStore(max_entries=3)
    await store.set("stays", "1")
    await store.set("later", "1", 200)
    await store.set("sooner", "1", 100)
    await store.set("new", "1", 300)
    found = {key: await store.get(key) for key in ("stays", "later", "sooner", "new")}
    assert found == {"stays": b"1", "later": b"1", "sooner": None, "new": b"1"}


async def test_replaced_expiry_does_not_drop_an_entry() -> None:
    store = MemoryStateStore(max_entries=2)
    await store.set("kept", "1", 100)
    await store.set("kept", "2")
    await store.set("dropped", "1", 200)
    await store.set("new", "1", 300)
    assert [await store.get(key) for key in ("kept", "dropped", "new")] == [b"2", None, b"1"]


async def test_full_store_without_expiries_refuses() -> None:
    store = MemoryStateStore(max_entries=2)
    await store.set("a", "1")
    await store.increment("b")
    with pytest.raises(StoreUnavailableError, match="full"):
        await store.set("c", "1")
    assert await store.increment("b") == 2
    await store.delete("a")
    await store.set("c", "1")


async def test_bytes_are_bounded() -> None:
    store = MemoryStateStore(max_bytes=100_000)
    for index in range(100):
        await store.set(str(index), b"x" * 10_000, 100 + index)
    kept = [index for index in range(100) if await store.get(str(index))]
    assert kept == list(range(100 - len(kept), 100))
    assert 8 <= len(kept) <= 9


async def test_expired_entries_are_dropped() -> None:
    clock = Clock()
    store = MemoryStateStore(max_bytes=1000, clock=clock)
    await store.set("old", b"x" * 700, 10)
    clock.now += 11
    await store.set("new", b"x" * 700)
    assert [await store.get("old"), await store.get("new")] == [None, b"x" * 700]


async def test_many_changes_of_one_key_need_no_more_memory() -> None:
    store = MemoryStateStore()
    for _ in range(5000):
        await store.increment("count", 1, 3600)
    assert len(store._expiries) <= 1003


async def test_slow_subscription_ends() -> None:
    store = MemoryStateStore()
    async with store.subscribe("news") as messages:
        for number in range(1002):
            await store.publish("news", number)
        for number in range(1000):
            assert await anext(messages) == str(number).encode()
        with pytest.raises(StoreUnavailableError, match="1000 messages behind"):
            await anext(messages)
    async with store.subscribe("news") as messages:
        await store.publish("news", "again")
        assert await anext(messages) == b"again"


def test_url_with_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="'memory:'"):
        MemoryStateStore("memory://host")
