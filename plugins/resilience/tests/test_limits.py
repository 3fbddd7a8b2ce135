"""So many calls in a time, so many at once; the others wait their turn, or are refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from adapter_host import UnavailableError, UpstreamStatusError, UpstreamUnreachableError

from .conftest import Api, Calling, Clock, Start, hang_up


async def refused(call: Calling, name: str = "read") -> UnavailableError:
    with pytest.raises(UnavailableError) as caught:
        await call(name)
    return caught.value


PLACES = [
    pytest.param(lambda policy: {"policy": policy}, "things", id="api"),
    pytest.param(lambda policy: {"operations": {"read": policy}}, "things.read", id="consumed"),
    pytest.param(lambda policy: {"exposed": {"read": policy}}, "read", id="exposed"),
]


@pytest.mark.parametrize(("given", "name"), PLACES)
async def test_a_rate(api: Api, start: Start, clock: Clock, given: Any, name: str) -> None:
    call = await start(**given({"rate": {"calls": 3, "per": 60, "wait": 0}}))
    for _ in range(3):
        await call()
    error = await refused(call)
    assert error.message == f"'{name}' is called too often; try again in 20 s"
    assert error.retry_after == 20
    clock.advance(20.1)
    await call()
    await refused(call)
    assert len(api.seen) == 4


@pytest.mark.parametrize(("given", "name"), PLACES)
async def test_so_many_at_once(api: Api, start: Start, given: Any, name: str) -> None:
    call = await start(**given({"concurrency": {"calls": 2, "wait": 0}}))
    held = [api.hold(), api.hold()]
    calling = [call.task(), call.task()]
    await api.requests(2)
    error = await refused(call)
    assert error.message == f"too many calls of '{name}' at once (at most 2); try again in 1 s"
    assert error.retry_after == 1
    held[0].release.set()
    await asyncio.wait(calling, return_when=asyncio.FIRST_COMPLETED)
    assert await call() == {"ok": True}
    held[1].release.set()
    assert [await each for each in calling] == [{"ok": True}] * 2


@pytest.mark.parametrize("limit", [{"rate": {"calls": 1, "per": 60}}, {"concurrency": {"calls": 1}}])
async def test_an_api_is_limited_as_a_whole_and_an_operation_alone(api: Api, start: Start, limit: Any) -> None:
    limit = {name: {**each, "wait": 0} for name, each in limit.items()}
    whole, alone = await start(limit), await start(operations={"read": limit})
    held = [api.hold(), api.hold()]
    calling = [whole.task("read"), alone.task("read")]
    await api.requests(2)
    await refused(whole, "other")
    await refused(alone, "read")
    assert await alone("other") == {"ok": True}
    for each in held:
        each.release.set()
    await asyncio.wait(calling)


async def test_a_turn_that_comes_in_time_is_waited_for(api: Api, start: Start, clock: Clock) -> None:
    call = await start({"rate": {"calls": 1, "per": 3, "wait": 5}})
    await call()
    waiting = call.task()
    await asyncio.wait([waiting], timeout=0.01)
    assert len(api.seen) == 1
    clock.advance(3)
    assert await waiting == {"ok": True}


async def test_nobody_overtakes(api: Api, start: Start, clock: Clock) -> None:
    call = await start({"rate": {"calls": 1, "per": 3}})
    await call("put")
    first = call.task("read")
    await asyncio.wait([first], timeout=0.01)
    clock.advance(3)
    late = call.task("other")
    await first
    clock.advance(3)
    await late
    assert api.seen == ["PUT /things", "GET /things", "GET /others"]


async def test_a_newcomer_finds_the_queue_full_as_long_as_somebody_waits(api: Api, start: Start, clock: Clock) -> None:
    call = await start({"rate": {"calls": 1, "per": 3, "queue": 1}})
    await call()
    first = call.task()
    await asyncio.wait([first], timeout=0.01)
    clock.advance(3)
    await refused(call)
    assert await first == {"ok": True}


@pytest.mark.parametrize("limit", [{"rate": {"calls": 1, "per": 60}}, {"concurrency": {"calls": 1}}])
async def test_a_turn_is_waited_for_no_longer_than_said(api: Api, start: Start, clock: Clock, limit: Any) -> None:
    call = await start({name: {**each, "wait": 5} for name, each in limit.items()})
    held = api.hold()
    first = call.task()
    await api.requests(1)
    waiting = call.task()
    await asyncio.wait([waiting], timeout=0.01)
    clock.advance(5)
    with pytest.raises(UnavailableError):
        await waiting
    held.release.set()
    await first
    assert len(api.seen) == 1


@pytest.mark.parametrize(("limit", "step"), [({"rate": {"calls": 1, "per": 9}}, 9), ({"concurrency": {"calls": 1}}, 0)])
async def test_the_queue_is_bounded(api: Api, start: Start, clock: Clock, limit: Any, step: int) -> None:
    call = await start({name: {**each, "queue": 2, "wait": 40} for name, each in limit.items()})
    held = api.hold()
    first = call.task()
    await api.requests(1)
    waiting = [call.task(), call.task()]
    await asyncio.sleep(0)
    await refused(call)
    waiting.pop(0).cancel()
    waiting.append(call.task())
    await asyncio.sleep(0)
    await refused(call)
    held.release.set()
    await first
    for each in waiting:
        clock.advance(step)
        assert await each == {"ok": True}
    assert len(api.seen) == 3


async def test_turns_come_in_order(api: Api, start: Start) -> None:
    call = await start({"concurrency": {"calls": 1}})
    held = api.hold()
    calling = [call.task(name) for name in ("read", "write", "other", "put")]
    await api.requests(1)
    held.release.set()
    await asyncio.gather(*calling)
    assert api.seen == ["GET /things", "POST /things", "GET /others", "PUT /things"]


@pytest.mark.parametrize("failure", [hang_up, None])
async def test_a_call_that_fails_gives_its_turn_back(api: Api, start: Start, failure: Any) -> None:
    call = await start({"concurrency": {"calls": 1, "wait": 0}})
    api.plan.append(failure) if failure else api.fail(500)
    with pytest.raises((UpstreamStatusError, UpstreamUnreachableError)):
        await call("write")
    assert await call() == {"ok": True}


async def test_a_call_that_is_cancelled_gives_its_turn_back(api: Api, start: Start) -> None:
    call = await start({"concurrency": {"calls": 1, "wait": 0}})
    held = api.hold()
    calling = call.task()
    await api.requests(1)
    calling.cancel()
    await held.gone.wait()
    assert await call() == {"ok": True}


@pytest.mark.parametrize("closed", [True, False])
async def test_a_stream_keeps_its_turn_until_it_ends_or_is_closed(api: Api, start: Start, closed: bool) -> None:
    async def large(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * 200_000)

    call = await start({"concurrency": {"calls": 1, "wait": 0}})
    api.plan.append(large)
    result = await call.consumed("large").call({}, stream=True)
    assert result.stream is not None
    await refused(call)
    if closed:
        await result.stream.aclose()  # type: ignore[attr-defined]
    else:
        assert sum([len(chunk) async for chunk in result.stream]) == 200_000
    assert await call() == {"ok": True}


async def test_a_deadline_ends_the_waiting(api: Api, start: Start) -> None:
    call = await start({"concurrency": {"calls": 1, "wait": 60}}, exposed={"other": {"deadline": 0.02}})
    held = api.hold()
    first = call.task()
    await api.requests(1)
    with pytest.raises(Exception, match=r"'other' did not end within 0\.02 s"):
        await call("other")
    held.release.set()
    await first
    assert api.seen == ["GET /things"]


async def test_a_retry_takes_a_turn_of_the_rate(api: Api, start: Start) -> None:
    call = await start({"rate": {"calls": 2, "per": 60, "wait": 0}, "retry": {"backoff": 0.001}})
    api.fail(503, 503)
    with pytest.raises(UnavailableError, match="called too often"):
        await call()
    assert len(api.seen) == 2
