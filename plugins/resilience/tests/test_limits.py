"""Tests of rate limits and concurrency limits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from syrupy.assertion import SnapshotAssertion

from adapter_host import UnavailableError, UpstreamDisconnectedError, UpstreamStatusError, UpstreamTimeoutError

from .conftest import Api, Client, Clock, Start, abort_connection


async def refused(call: Client, name: str = "read") -> UnavailableError:
    with pytest.raises(UnavailableError) as caught:
        await call(name)
    return caught.value


LEVELS = [
    pytest.param(lambda policy: {"policy": policy}, "things", id="api"),
    pytest.param(lambda policy: {"operations": {"read": policy}}, "things.read", id="consumed"),
    pytest.param(lambda policy: {"exposed": {"read": policy}}, "read", id="exposed"),
]


BOTH = pytest.mark.parametrize("shared", [False, True])
"""A limit of this process, and one in the state store."""


@pytest.mark.parametrize(("policies", "name"), LEVELS)
async def test_rate_limit(
    api: Api, start: Start, clock: Clock, policies: Any, name: str, snapshot: SnapshotAssertion
) -> None:
    call = await start(**policies({"rate": {"calls": 3, "per": 60, "wait": 0}}))
    for _ in range(3):
        await call()
    error = await refused(call)
    assert f"'{name}'" in error.message
    assert error.message == snapshot
    assert error.retry_after == 20
    clock.advance(20.1)
    await call()
    await refused(call)
    assert len(api.received) == 4


@pytest.mark.parametrize(("policies", "name"), LEVELS)
async def test_concurrency_limit(api: Api, start: Start, policies: Any, name: str, snapshot: SnapshotAssertion) -> None:
    call = await start(**policies({"concurrency": {"calls": 2, "wait": 0}}))
    held_response = [api.hold(), api.hold()]
    task = [call.task(), call.task()]
    await api.requests(2)
    error = await refused(call)
    assert f"'{name}'" in error.message
    assert error.message == snapshot
    assert error.retry_after == 1
    held_response[0].release.set()
    await asyncio.wait(task, return_when=asyncio.FIRST_COMPLETED)
    assert await call() == {"ok": True}
    held_response[1].release.set()
    assert [await each for each in task] == [{"ok": True}] * 2


@pytest.mark.parametrize("limit", [{"rate": {"calls": 1, "per": 60}}, {"concurrency": {"calls": 1}}])
async def test_limits_are_per_api_or_per_operation(api: Api, start: Start, limit: Any) -> None:
    limit = {name: {**each, "wait": 0} for name, each in limit.items()}
    whole, alone = await start(limit), await start(operations={"read": limit})
    held_response = [api.hold(), api.hold()]
    task = [whole.task("read"), alone.task("read")]
    await api.requests(2)
    await refused(whole, "other")
    await refused(alone, "read")
    assert await alone("other") == {"ok": True}
    for each in held_response:
        each.release.set()
    await asyncio.wait(task)


async def test_queued_call_waits_for_the_rate_limit(api: Api, start: Start, clock: Clock) -> None:
    call = await start({"rate": {"calls": 1, "per": 3, "wait": 5}})
    await call()
    waiting = call.task()
    await asyncio.wait([waiting], timeout=0.01)
    assert len(api.received) == 1
    clock.advance(3)
    assert await waiting == {"ok": True}


async def test_rate_limited_calls_keep_their_order(api: Api, start: Start, clock: Clock) -> None:
    call = await start({"rate": {"calls": 1, "per": 3}})
    await call("put")
    first = call.task("read")
    await asyncio.wait([first], timeout=0.01)
    clock.advance(3)
    late = call.task("other")
    await first
    clock.advance(3)
    await late
    assert api.received == ["PUT /things", "GET /things", "GET /others"]


async def test_new_call_does_not_overtake_a_full_queue(api: Api, start: Start, clock: Clock) -> None:
    call = await start({"rate": {"calls": 1, "per": 3, "queue": 1}})
    await call()
    first = call.task()
    await asyncio.wait([first], timeout=0.01)
    clock.advance(3)
    await refused(call)
    assert await first == {"ok": True}


@pytest.mark.parametrize("limit", [{"rate": {"calls": 1, "per": 60}}, {"concurrency": {"calls": 1}}])
async def test_queued_call_times_out(api: Api, start: Start, clock: Clock, limit: Any) -> None:
    call = await start({name: {**each, "wait": 5} for name, each in limit.items()})
    held_response = api.hold()
    first = call.task()
    await api.requests(1)
    waiting = call.task()
    await asyncio.wait([waiting], timeout=0.01)
    clock.advance(5)
    with pytest.raises(UnavailableError):
        await waiting
    held_response.release.set()
    await first
    assert len(api.received) == 1


@pytest.mark.parametrize(("limit", "step"), [({"rate": {"calls": 1, "per": 9}}, 9), ({"concurrency": {"calls": 1}}, 0)])
async def test_queue_is_bounded(api: Api, start: Start, clock: Clock, limit: Any, step: int) -> None:
    call = await start({name: {**each, "queue": 2, "wait": 40} for name, each in limit.items()})
    held_response = api.hold()
    first = call.task()
    await api.requests(1)
    waiting = [call.task(), call.task()]
    await asyncio.sleep(0)
    await refused(call)
    waiting.pop(0).cancel()
    waiting.append(call.task())
    await asyncio.sleep(0)
    await refused(call)
    held_response.release.set()
    await first
    for each in waiting:
        clock.advance(step)
        assert await each == {"ok": True}
    assert len(api.received) == 3


async def test_concurrent_calls_keep_their_order(api: Api, start: Start) -> None:
    call = await start({"concurrency": {"calls": 1}})
    held_response = api.hold()
    task = [call.task(name) for name in ("read", "write", "other", "put")]
    await api.requests(1)
    held_response.release.set()
    await asyncio.gather(*task)
    assert api.received == ["GET /things", "POST /things", "GET /others", "PUT /things"]


@BOTH
@pytest.mark.parametrize("failure", [abort_connection, None])
async def test_failed_call_releases_its_slot(api: Api, start: Start, failure: Any, shared: bool) -> None:
    call = await start({"concurrency": {"calls": 1, "wait": 0, "shared": shared}})
    api.responders.append(failure) if failure else api.fail(500)
    with pytest.raises((UpstreamStatusError, UpstreamDisconnectedError)):
        await call("write")
    assert await call() == {"ok": True}


@BOTH
async def test_cancelled_call_releases_its_slot(api: Api, start: Start, shared: bool) -> None:
    call = await start({"concurrency": {"calls": 1, "wait": 0, "shared": shared}})
    held_response = api.hold()
    task = call.task()
    await api.requests(1)
    task.cancel()
    await held_response.gone.wait()
    assert await call() == {"ok": True}


@BOTH
@pytest.mark.parametrize("closed", [True, False])
async def test_stream_holds_its_slot_until_closed(api: Api, start: Start, closed: bool, shared: bool) -> None:
    async def large(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * 200_000)

    call = await start({"concurrency": {"calls": 1, "wait": 0, "shared": shared}})
    api.responders.append(large)
    result = await call.consumed("large").call({}, stream=True)
    assert result.stream is not None
    await refused(call)
    if closed:
        await result.stream.aclose()
    else:
        assert sum([len(chunk) async for chunk in result.stream]) == 200_000
    assert await call() == {"ok": True}


async def test_deadline_ends_queueing(api: Api, start: Start) -> None:
    call = await start({"concurrency": {"calls": 1, "wait": 60}}, exposed={"other": {"deadline": 0.02}})
    held_response = api.hold()
    first = call.task()
    await api.requests(1)
    with pytest.raises(UpstreamTimeoutError, match=r"'other'.*0\.02 s"):
        await call("other")
    held_response.release.set()
    await first
    assert api.received == ["GET /things"]


async def test_retries_count_against_the_rate(api: Api, start: Start) -> None:
    call = await start({"rate": {"calls": 2, "per": 60, "wait": 0}, "retry": {"backoff": 0.001}})
    api.fail(503, 503)
    assert (await refused(call)).retry_after == 30
    assert len(api.received) == 2
