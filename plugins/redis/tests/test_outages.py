"""Tests of a server that is paused, stopped or full: the errors of callers, and the recovery."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from adapter_host import StateStore, StoreUnavailableError
from adapter_host_redis import RedisStateStore

from .conftest import Clock, Server, settle


@pytest.fixture
async def store(server: Server, clock: Clock) -> AsyncIterator[RedisStateStore]:
    store = RedisStateStore(server.url, {}, clock=clock, ping_after=0.1)
    yield store
    await store.stop()


async def fail(store: StateStore) -> None:
    """Make a call that fails, without any help by a timeout of the test."""
    with pytest.raises(StoreUnavailableError, match="unavailable; try again later"):
        await store.increment("count")


async def test_paused_server(
    server: Server, store: RedisStateStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    assert await store.increment("count") == 1
    server.pause()
    loop = asyncio.get_running_loop()
    started = loop.time()
    await asyncio.gather(*(fail(store) for _ in range(10)))
    # A call that waits for the server takes half a second; they wait together. A busy machine may be slow.
    assert loop.time() - started < 5
    with pytest.raises(StoreUnavailableError) as caught:
        await store.get("count")
    assert caught.value.status == 503
    assert caught.value.retry_after == 1
    server.resume()
    with pytest.raises(StoreUnavailableError):
        await store.get("count")
    clock.now += 1
    await store.set("count", "probe")
    assert await store.get("count") == b"probe"
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [message.split("available")[0].split()[-1] for message in messages] == ["un", "is"]
    assert f"127.0.0.1:{server.port}/0" in messages[0]


async def test_responses_are_never_mixed_up_after_timeouts(server: Server, clock: Clock) -> None:
    store = RedisStateStore(server.url, {}, clock=clock)
    for number in range(20):
        await store.set(f"key-{number}", number)
    server.pause()
    results = await asyncio.gather(*(store.get(f"key-{number}") for number in range(20)), return_exceptions=True)
    assert {type(result) for result in results} == {StoreUnavailableError}
    server.resume()
    clock.now += 1
    found = [await store.get(f"key-{number}") for number in range(20)]
    assert found == [str(number).encode() for number in range(20)]
    await store.stop()


async def test_stopped_and_restarted_server(server: Server, store: RedisStateStore, clock: Clock) -> None:
    assert await store.increment("count") == 1
    server.stop()
    for _ in range(4):
        await fail(store)
    server.start()
    await fail(store)
    clock.now += 1
    assert await store.increment("count") == 1


async def test_restart_between_calls_is_not_noticed(server: Server, store: RedisStateStore) -> None:
    await store.acquire("job", 3600)
    server.stop()
    server.start()
    await settle()
    assert await store.get("count") is None
    assert await store.acquire("job", 3600) is not None


async def test_tokens_grow_although_the_server_has_lost_its_data(server: Server, store: RedisStateStore) -> None:
    first = await store.acquire("job", 3600)
    server.stop()
    server.start()
    await settle()
    second = await store.acquire("job", 3600)
    assert first is not None
    assert second is not None
    assert second > first


async def test_one_probe_at_a_time(server: Server, store: RedisStateStore, clock: Clock) -> None:
    server.stop()
    for _ in range(3):
        await fail(store)
    server.start()
    server.pause()
    clock.now += 1
    probe = asyncio.create_task(store.get("key"))
    await settle()
    for _ in range(100):
        await fail(store)
    assert not probe.done()
    server.resume()
    assert await probe is None
    assert await store.increment("count") == 1


async def test_cancelled_call_does_not_open_the_circuit(server: Server, store: RedisStateStore) -> None:
    await store.set("key", "value")
    server.pause()
    calls = [asyncio.create_task(store.get("key")) for _ in range(5)]
    await settle()
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    assert all(call.cancelled() for call in calls)
    server.resume()
    assert await store.get("key") == b"value"


async def test_call_is_cancelled_although_the_client_goes_on(store: RedisStateStore) -> None:
    async def goes_on() -> int:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return 1

    call = asyncio.create_task(store._guarded(goes_on))
    await settle()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await store.get("key") is None


@pytest.mark.parametrize("how", ["pause", "stop"])
async def test_subscription_ends(server: Server, store: RedisStateStore, how: str) -> None:
    async with store.subscribe("news") as messages:
        await store.publish("news", "before")
        assert await anext(messages) == b"before"
        getattr(server, how)()
        with pytest.raises(StoreUnavailableError):
            await anext(messages)
    with pytest.raises(StoreUnavailableError):
        async with store.subscribe("news"):
            raise AssertionError("subscribed to a server that is away")


async def test_silent_subscription_goes_on(store: RedisStateStore) -> None:
    async with store.subscribe("news") as messages:
        reading = asyncio.ensure_future(anext(messages))
        # Several times as long as the silence after which it checks the server.
        await asyncio.wait([reading], timeout=0.5)
        assert not reading.done()
        await store.publish("news", "late")
        assert await reading == b"late"


async def test_full_server(server: Server, clock: Clock) -> None:
    server.stop()
    server.start("--maxmemory", "2mb", "--maxmemory-policy", "noeviction")
    store = RedisStateStore(server.url, {}, clock=clock)
    writes = (store.set(f"key-{number}", b"x" * 100_000) for number in range(100))
    results = [(await asyncio.gather(write, return_exceptions=True))[0] for write in writes]
    assert results[0] is None
    assert isinstance(results[-1], StoreUnavailableError)
    clock.now += 1
    assert len(await store.get("key-0") or b"") == 100_000
    await store.stop()


async def test_nothing_is_opened_before_the_first_use() -> None:
    accepted: list[asyncio.StreamWriter] = []
    listener = await asyncio.start_server(lambda _, writer: accepted.append(writer), "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        store = RedisStateStore(f"redis://127.0.0.1:{port}", {}, timeout=0.1)
        await settle()
        await store.stop()
        assert accepted == []
        with pytest.raises(StoreUnavailableError):
            await store.get("key")
        assert len(accepted) == 1
        await store.stop()
        for writer in accepted:
            writer.close()


async def test_error_in_a_lock_is_raised_although_it_cannot_be_released(server: Server, store: RedisStateStore) -> None:
    async def work() -> None:
        async with store.lock("job", 3600):
            server.stop()
            raise LookupError("no such job")

    with pytest.raises(LookupError, match="no such job") as caught:
        await work()
    assert caught.value.__notes__ == [
        "the lock 'job' has not been released: the state store is unavailable; try again later"
    ]
