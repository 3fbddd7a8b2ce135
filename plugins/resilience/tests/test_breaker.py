"""An API that keeps failing is left alone, then tried by one call."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from adapter_host import UnavailableError, UpstreamStatusError, UpstreamTimeoutError
from adapter_host.testing import running

from .conftest import Api, Calling, Clock, Notes, Start, document, plugins

POLICY: dict[str, Any] = {"breaker": {"failures": 2, "openFor": 30}}


async def failing(call: Calling, times: int = 2, name: str = "read") -> None:
    for _ in range(times):
        with pytest.raises(UpstreamStatusError):
            await call(name)


async def refused(call: Calling, name: str = "read") -> UnavailableError:
    with pytest.raises(UnavailableError) as caught:
        await call(name)
    return caught.value


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_it_opens_after_failures_in_a_row(api: Api, start: Start, status: int) -> None:
    call = await start(POLICY)
    api.fail(status, status)
    await failing(call)
    error = await refused(call)
    assert error.message == "the upstream 'things' keeps failing and is left alone; try again in 30 s"
    assert error.retry_after == 30
    assert len(api.seen) == 2


async def test_an_api_that_cannot_be_reached_is_left_alone(start: Start) -> None:
    call = await start(POLICY, baseUri="http://127.0.0.1:1")
    for _ in range(2):
        with pytest.raises(Exception, match="cannot be reached"):
            await call()
    await refused(call)


async def test_all_operations_of_an_api_share_it(api: Api, start: Start) -> None:
    call = await start(POLICY)
    api.fail(503, 503)
    await failing(call, 1, "read")
    await failing(call, 1, "write")
    await refused(call, "other")


async def test_other_apis_do_not(api: Api) -> None:
    made = document(api.url, POLICY)
    second = document(api.url, POLICY)["capability"]["consumes"][0] | {"namespace": "second"}
    made["capability"]["consumes"].append(second)
    made["capability"]["exposes"][0]["operations"].append({"name": "second", "call": "second.read"})
    async with running(made, plugins=plugins()) as served:
        call = Calling(served)
        api.fail(503, 503)
        await failing(call)
        await refused(call)
        assert await call("second") == {"ok": True}


async def test_a_success_in_between_counts_anew(api: Api, start: Start) -> None:
    call = await start(POLICY)
    api.fail(503, 200, 503)
    await failing(call, 1)
    await call()
    await failing(call, 1)
    assert await call() == {"ok": True}


@pytest.mark.parametrize("status", [400, 404, 429, 500])
async def test_what_an_api_answers_itself_is_no_failure(api: Api, start: Start, status: int) -> None:
    call = await start(POLICY)
    api.fail(*[status] * 4)
    await failing(call, 4)
    assert len(api.seen) == 4


async def test_one_call_tries_it(api: Api, start: Start, clock: Clock, notes: Notes) -> None:
    call = await start(POLICY)
    api.fail(503, 503)
    await failing(call)
    clock.advance(29)
    assert (await refused(call)).retry_after == 1
    clock.advance(1.1)
    held = api.hold()
    probe = call.task()
    await api.requests(3)
    assert (await refused(call)).retry_after == 1
    held.release.set()
    assert await probe == {"ok": True}
    assert await call() == {"ok": True}
    assert notes.messages == [
        "upstream 'things' keeps failing: left alone for 30 s",
        "upstream 'things' is called again",
    ]


async def test_it_opens_again_when_that_fails(api: Api, start: Start, clock: Clock) -> None:
    call = await start(POLICY)
    api.fail(503, 503, 503)
    await failing(call)
    clock.advance(30.1)
    await failing(call, 1)
    assert (await refused(call)).retry_after == 30
    clock.advance(30.1)
    assert await call() == {"ok": True}


async def test_it_stays_closed_after_the_trial_until_there_are_failures_in_a_row(
    api: Api, start: Start, clock: Clock
) -> None:
    call = await start(POLICY)
    api.fail(503, 503)
    await failing(call)
    clock.advance(30.1)
    await call()
    api.fail(503)
    await failing(call, 1)
    assert await call() == {"ok": True}


async def test_a_trial_that_is_given_up_leaves_the_next_call_to_try(api: Api, start: Start, clock: Clock) -> None:
    call = await start(POLICY)
    api.fail(503, 503)
    await failing(call)
    clock.advance(30.1)
    held = api.hold()
    probe = call.task()
    await api.requests(3)
    probe.cancel()
    await held.gone.wait()
    assert await call() == {"ok": True}


async def test_a_call_that_began_before_does_not_close_it(api: Api, start: Start) -> None:
    call = await start(POLICY)
    held = api.hold()
    early = call.task()
    await api.requests(1)
    api.fail(503, 503)
    await failing(call)
    held.release.set()
    assert await early == {"ok": True}
    await refused(call)


async def test_a_deadline_that_cuts_a_call_off_is_a_failure(api: Api, start: Start) -> None:
    call = await start({"breaker": {"failures": 1}}, exposed={"read": {"deadline": 0.05}})
    held = api.hold()
    with pytest.raises(UpstreamTimeoutError):
        await call()
    await held.gone.wait()
    await refused(call)


async def test_a_caller_that_goes_away_is_no_failure(api: Api, start: Start) -> None:
    call = await start({"breaker": {"failures": 1}})
    held = api.hold()
    calling = call.task()
    await api.requests(1)
    calling.cancel()
    await held.gone.wait()
    assert await call() == {"ok": True}


async def test_no_call_is_made_again_once_it_is_open(api: Api, start: Start) -> None:
    call = await start({**POLICY, "retry": {"attempts": 5, "backoff": 0.001}})
    api.fail(503, 504)
    with pytest.raises(UpstreamStatusError) as caught:
        await call()
    assert caught.value.upstream_status == 504
    assert len(api.seen) == 2


async def test_calls_that_wait_their_turn_are_not_made_once_it_is_open(api: Api, start: Start) -> None:
    call = await start({"breaker": {"failures": 1}, "concurrency": {"calls": 1}})

    async def fail_later(request: Any) -> Any:
        await turn.wait()
        return aiohttp.web.Response(status=503)

    turn = asyncio.Event()
    api.plan.append(fail_later)
    first, second = call.task(), call.task()
    await api.requests(1)
    turn.set()
    with pytest.raises(UpstreamStatusError):
        await first
    with pytest.raises(UnavailableError, match="left alone"):
        await second
    assert len(api.seen) == 1


async def test_calls_that_are_refused_take_no_turn(api: Api, start: Start) -> None:
    call = await start({"breaker": {"failures": 1}, "rate": {"calls": 2, "per": 60, "wait": 0}})
    api.fail(503)
    await failing(call, 1)
    for _ in range(3):
        assert "left alone" in (await refused(call)).message


async def test_each_host_and_each_reload_begins_anew(api: Api, start: Start) -> None:
    one, two = await start(POLICY), await start(POLICY)
    api.fail(503, 503)
    await failing(one)
    await refused(one)
    assert await two() == {"ok": True}
    await one.host.reload()
    assert await one() == {"ok": True}


async def test_over_rest_the_caller_is_told_when_to_come_back(api: Api) -> None:
    made = document(api.url, POLICY)
    made["capability"]["exposes"] = [
        {
            "type": "rest",
            "namespace": "front",
            "port": 0,
            "resources": [{"path": "/things", "operations": [{"method": "GET", "call": "things.read"}]}],
        }
    ]
    async with running(made, plugins=plugins()) as served, aiohttp.ClientSession() as session:
        url = f"{served.url('front')}/things"
        api.fail(503, 503)
        for _ in range(2):
            async with session.get(url) as answer:
                assert answer.status == 503
                assert "Retry-After" not in answer.headers
        async with session.get(url) as answer:
            assert answer.status == 503
            assert answer.headers["Retry-After"] == "30"
            assert answer.headers.get("Connection", "keep-alive") == "keep-alive"
            assert (await answer.json())["detail"].endswith("try again in 30 s")
