"""The contract of state stores: a class of tests that tests of a store inherit."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from functools import wraps
from itertools import count
from typing import Any, ClassVar, Final, Protocol, TypeVar
from unittest import TestCase

from adapter_host import LockHeldError, RateDecision, StateStore, StoreUnavailableError, Value


class StoreUnderTest(Protocol):
    """Two clients of one store, which begins empty, and a way to let its time pass."""

    @property
    def store(self) -> StateStore:
        """The first client."""
        ...

    @property
    def other(self) -> StateStore:
        """The second client."""
        ...

    async def elapse(self, seconds: float) -> None:
        """Wait until at least this time has passed for the store."""


ContractT = TypeVar("ContractT", bound="StateStoreContract")
Check = Callable[[ContractT, StoreUnderTest], Coroutine[Any, Any, None]]

# Not that of pytest: the test kit is also for applications and tests without it.
_raises: Final = TestCase().assertRaisesRegex


def _state_test(check: Check[ContractT]) -> Callable[[ContractT], None]:
    @wraps(check)
    def run(contract: ContractT) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(contract.timeout), contract.stores() as stores:
                await check(contract, stores)

        asyncio.run(bounded())

    # pytest would take the parameter of the check for a fixture.
    del run.__wrapped__
    return run


async def _refused(store: StateStore, *rate: Any) -> RateDecision:
    """Make calls until one is refused, however slow this machine is."""
    while (decision := await store.gcra(*rate)).allowed:
        pass
    return decision


class StateStoreContract:
    """The tests of a state store; implement `stores`. `timeout` is the limit of a test in seconds."""

    timeout: ClassVar[float] = 30.0

    @abstractmethod
    def stores(self) -> AbstractAsyncContextManager[StoreUnderTest]:
        """Return a context manager of an empty store; `other` may be `store` if no second client can share it."""

    @_state_test
    async def test_values(self, stores: StoreUnderTest) -> None:
        """Bytes, texts and integers are stored as bytes, for all clients."""
        values: dict[Value, bytes] = {b"\x00\xff": b"\x00\xff", "déjà": "déjà".encode(), -7: b"-7", "": b""}
        for value, stored in values.items():
            await stores.store.set("key", value)
            assert await stores.other.get("key") == stored
        assert await stores.store.get("another") is None
        assert await stores.other.delete("key") is True
        assert await stores.store.delete("key") is False
        assert await stores.store.get("key") is None

    @_state_test
    async def test_expiry(self, stores: StoreUnderTest) -> None:
        """A value is there until it expires, and setting it without expiry removes the expiry."""
        await stores.store.set("short", "value", 0.05)
        await stores.store.set("long", "value", 3600)
        await stores.store.set("renewed", "value", 0.05)
        await stores.store.set("renewed", "value")
        await stores.elapse(0.06)
        found = [await stores.other.get(key) for key in ("short", "long", "renewed")]
        assert found == [None, b"value", b"value"]

    @_state_test
    async def test_bounds(self, stores: StoreUnderTest) -> None:
        """Keys, values and times beyond the bounds are refused, and those at the bounds are not."""
        store = stores.store
        await store.set("k" * 512, b"v" * 1024 * 1024)
        assert len(await store.get("k" * 512) or b"") == 1024 * 1024
        for key, value, expires_in in (
            ("", "v", None),
            ("k" * 513, "v", None),
            ("é" * 257, "v", None),
            ("key", b"v" * (1024 * 1024 + 1), None),
            ("key", "v", 0),
            ("key", "v", float("nan")),
            ("key", "v", float("inf")),
        ):
            with _raises(ValueError, r"\w"):
                await store.set(key, value, expires_in)
        for limit, period, burst in ((0, 1, None), (1, 0, None), (1, 1, 0)):
            with _raises(ValueError, r"\w"):
                await store.gcra("rate", limit, period, burst)
        assert await store.get("key") is None

    @_state_test
    async def test_compare_and_set(self, stores: StoreUnderTest) -> None:
        """A value is replaced only if it is the expected one; None is no value."""
        store, other = stores.store, stores.other
        assert not await store.compare_and_set("key", "a", "b")
        assert await store.compare_and_set("key", None, "a")
        assert not await other.compare_and_set("key", None, "b")
        assert not await other.compare_and_set("key", "b", "c")
        assert await store.get("key") == b"a"
        assert await other.compare_and_set("key", "a", b"\x00")
        assert await store.compare_and_set("key", b"\x00", "", 0.05)
        await stores.elapse(0.06)
        assert await store.compare_and_set("key", None, 1)
        assert await store.compare_and_set("key", 1, None)
        assert await store.get("key") is None

    @_state_test
    async def test_one_of_many_compare_and_set_wins(self, stores: StoreUnderTest) -> None:
        """Of concurrent writers that expect the same value, one succeeds."""
        clients = [stores.store, stores.other] * 20
        won = await asyncio.gather(*(each.compare_and_set("key", None, i) for i, each in enumerate(clients)))
        assert won.count(True) == 1
        assert await stores.store.get("key") == str(won.index(True)).encode()

    @_state_test
    async def test_increment(self, stores: StoreUnderTest) -> None:
        """Concurrent increments are all counted, and the value is an integer of 64 bits."""
        store = stores.store
        totals = await asyncio.gather(*(each.increment("key", 2) for each in [store, stores.other] * 20))
        assert sorted(totals) == list(range(2, 82, 2))
        assert await store.increment("key", -100) == -20
        assert await store.get("key") == b"-20"
        largest = 2**63 - 1
        assert await store.increment("large", largest) == largest
        with _raises(ValueError, "64 bits"):
            await store.increment("large")
        with _raises(ValueError, "64 bits"):
            await store.increment("key", largest + 1)
        await store.set("text", "1.5")
        with _raises(ValueError, "not an integer"):
            await store.increment("text")
        assert [await store.get("large"), await store.get("text")] == [str(largest).encode(), b"1.5"]

    @_state_test
    async def test_increments_do_not_extend_the_expiry(self, stores: StoreUnderTest) -> None:
        """A counter expires when the call that created it says so."""
        store = stores.store
        assert await store.increment("short", 1, 0.05) == 1
        await store.increment("short", 1, 3600)
        await store.increment("long", 1, 3600)
        await store.increment("long", 1, 0.01)
        await stores.elapse(0.06)
        assert await store.increment("short") == 1
        assert await store.increment("long") == 3

    @_state_test
    async def test_rate_limit(self, stores: StoreUnderTest) -> None:
        """Calls are allowed up to the burst, and refused with the time until the next one; keys are separate."""
        store, other = stores.store, stores.other
        decisions = [await each.gcra("key", 3, 3600.0) for each in (store, other, store, other)]
        assert [(decision.allowed, decision.remaining) for decision in decisions] == [
            (True, 2), (True, 1), (True, 0), (False, 0),
        ]  # fmt: skip
        assert 1100 < decisions[3].retry_after <= 1200
        assert decisions[0].retry_after == 0
        assert (await store.gcra("another", 3, 3600.0)).allowed
        assert [(await store.gcra("small", 100, 3600.0, 2)).allowed for _ in range(3)] == [True, True, False]

    @_state_test
    async def test_rate_limit_recovers(self, stores: StoreUnderTest) -> None:
        """After the time that a refusal has, the call is allowed, and refused calls do not count."""
        for _ in range(3):
            refused = await _refused(stores.store, "key", 2, 0.2)
            assert 0 < refused.retry_after <= 0.1001
            await stores.elapse(refused.retry_after)
            assert (await stores.other.gcra("key", 2, 0.2)).allowed

    @_state_test
    async def test_concurrent_calls_never_exceed_the_rate(self, stores: StoreUnderTest) -> None:
        """Of many calls at once, exactly as many as the burst are allowed."""
        calls = [stores.store, stores.other] * 50
        decisions = await asyncio.gather(*(each.gcra("key", 10, 36000.0) for each in calls))
        assert sum(decision.allowed for decision in decisions) == 10

    @_state_test
    async def test_lock(self, stores: StoreUnderTest) -> None:
        """A lock has one owner, and each owner a larger token than those before."""
        async with stores.store.lock("job", 3600) as first:
            with _raises(LockHeldError, "'job'"):
                async with stores.other.lock("job", 3600):
                    raise AssertionError("two owners of one lock")
            async with stores.other.lock("another", 3600):
                pass
        async with stores.other.lock("job", 3600) as second:
            assert second > first

    @_state_test
    async def test_lock_waits(self, stores: StoreUnderTest) -> None:
        """A lock is acquired by a waiting owner once it is released."""
        token = await stores.store.acquire("job", 3600)
        assert token is not None

        async def wait() -> int:
            async with stores.other.lock("job", 3600, wait=3600) as later:
                return later

        waiting = asyncio.create_task(wait())
        await asyncio.wait([waiting], timeout=0.01)
        assert await stores.store.release("job", token)
        assert await waiting > token

    @_state_test
    async def test_expired_lock(self, stores: StoreUnderTest) -> None:
        """A lock ends after its time, and its old owner can neither release nor extend it."""
        old = await stores.store.acquire("job", 0.05)
        assert old is not None
        await stores.elapse(0.06)
        new = await stores.other.acquire("job", 3600)
        assert new is not None
        assert new > old
        assert not await stores.store.release("job", old)
        assert await stores.store.acquire("job", 3600) is None
        assert await stores.other.release("job", new)

    @_state_test
    async def test_leases(self, stores: StoreUnderTest) -> None:
        """At most `limit` holders have a lease, until they end it."""
        assert await stores.store.lease("slots", "one", 2, 3600)
        assert await stores.other.lease("slots", "two", 2, 3600)
        assert not await stores.other.lease("slots", "three", 2, 3600)
        assert await stores.other.lease("others", "three", 2, 3600)
        # A holder has its lease once, and renews it whatever the limit is.
        assert await stores.store.lease("slots", "one", 1, 3600)
        await stores.other.end_lease("slots", "three")
        assert not await stores.store.lease("slots", "three", 2, 3600)
        await stores.other.end_lease("slots", "one")
        await stores.other.end_lease("slots", "one")
        assert await stores.store.lease("slots", "three", 2, 3600)
        assert not await stores.store.lease("slots", "one", 2, 3600)
        for holder, limit in (("", 1), ("x" * 513, 1), ("x", 0)):
            with _raises(ValueError, ""):
                await stores.store.lease("slots", holder, limit, 3600)

    @_state_test
    async def test_expired_leases(self, stores: StoreUnderTest) -> None:
        """A lease that is not renewed ends after its time; another one does not."""
        assert await stores.store.lease("slots", "dead", 2, 0.05)
        assert await stores.store.lease("slots", "alive", 2, 0.05)
        assert await stores.store.lease("slots", "alive", 2, 3600)
        await stores.elapse(0.06)
        assert await stores.other.lease("slots", "new", 2, 3600)
        assert not await stores.other.lease("slots", "dead", 2, 3600)

    @_state_test
    async def test_concurrent_leases(self, stores: StoreUnderTest) -> None:
        """Never more than `limit` of concurrent calls get a lease."""
        clients = (stores.store, stores.other)
        held = await asyncio.gather(*(clients[n % 2].lease("slots", f"{n}", 7, 3600) for n in range(40)))
        assert sum(held) == 7

    @_state_test
    async def test_messages(self, stores: StoreUnderTest) -> None:
        """A subscriber receives the messages of its channel that are published after it subscribed, in order."""
        await stores.store.publish("news", "before")
        async with stores.store.subscribe("news") as first, stores.other.subscribe("news") as second:
            for message in ("one", b"\x00", 3):
                await stores.other.publish("other", "elsewhere")
                await stores.other.publish("news", message)
            for messages in (first, second):
                assert [await anext(messages) for _ in range(3)] == [b"one", b"\x00", b"3"]
        await stores.store.publish("news", "after")

    @_state_test
    async def test_stop_ends_subscriptions(self, stores: StoreUnderTest) -> None:
        """A stopped store ends its subscriptions, and its next use opens it again."""
        async with stores.store.subscribe("news") as messages:
            reading = asyncio.ensure_future(anext(messages))
            await asyncio.wait([reading], timeout=0.01)
            await stores.store.stop()
            with _raises(StoreUnavailableError, ""):
                await reading
        await stores.store.set("key", "value")
        assert await stores.store.get("key") == b"value"

    @_state_test
    async def test_namespaces(self, stores: StoreUnderTest) -> None:
        """The keys, rates, locks, leases and channels of two namespaces are separate."""
        one, two = stores.store.namespaced("one"), stores.store.namespaced("two")
        numbers = count(1)
        for namespace in (one, two):
            await namespace.set("key", next(numbers))
            assert await namespace.increment("count") == 1
            assert await namespace.compare_and_set("new", None, "value")
            assert (await namespace.gcra("rate", 1, 3600)).allowed
            assert await namespace.acquire("lock", 3600) is not None
            assert await namespace.lease("slots", "holder", 1, 3600)
            await namespace.end_lease("slots", "nobody")
        assert [await one.get("key"), await two.get("key"), await stores.store.get("key")] == [b"1", b"2", None]
        async with two.subscribe("news") as messages:
            await one.publish("news", 1)
            await two.publish("news", 2)
            assert await anext(messages) == b"2"
        await one.stop()
        assert await one.delete("key")
        assert await one.namespaced("inner").get("key") is None
