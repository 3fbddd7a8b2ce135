"""Tests of the circuit breaker."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host import UnavailableError, UpstreamStatusError, UpstreamTimeoutError
from adapter_host.testing import running

from .conftest import Api, Client, Clock, LogRecords, Start, document, plugins

POLICY: dict[str, Any] = {"breaker": {"failures": 2, "openFor": 30}}


async def failing(call: Client, times: int = 2, name: str = "read") -> None:
    for _ in range(times):
        with pytest.raises(UpstreamStatusError):
            await call(name)


async def refused(call: Client, name: str = "read") -> UnavailableError:
    with pytest.raises(UnavailableError) as caught:
        await call(name)
    return caught.value


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_opens_after_consecutive_failures(
    api: Api, start: Start, status: int, snapshot: SnapshotAssertion
) -> None:
    call = await start(POLICY)
    api.fail(status, status)
    await failing(call)
    error = await refused(call)
    assert error.message == snapshot(name="message")
    assert error.retry_after == 30
    assert len(api.received) == 2


async def test_opens_for_an_unreachable_api(start: Start) -> None:
    call = await start(POLICY, baseUri="http://127.0.0.1:1")
    for _ in range(2):
        with pytest.raises(Exception, match="cannot be reached"):
            await call()
    await refused(call)


async def test_operations_of_an_api_share_a_circuit(api: Api, start: Start) -> None:
    call = await start(POLICY)
    api.fail(503, 503)
    await failing(call, 1, "read")
    await failing(call, 1, "write")
    await refused(call, "other")


async def test_apis_have_separate_circuits(api: Api) -> None:
    capability = document(api.url, POLICY)
    second = document(api.url, POLICY)["capability"]["consumes"][0] | {"namespace": "second"}
    capability["capability"]["consumes"].append(second)
    capability["capability"]["exposes"][0]["operations"].append({"name": "second", "call": "second.read"})
    async with running(capability, plugins=plugins()) as served:
        call = Client(served)
        api.fail(503, 503)
        await failing(call)
        await refused(call)
        assert await call("second") == {"ok": True}


async def test_success_resets_the_failure_count(api: Api, start: Start) -> None:
    call = await start(POLICY)
    api.fail(503, 200, 503)
    await failing(call, 1)
    await call()
    await failing(call, 1)
    assert await call() == {"ok": True}


@pytest.mark.parametrize("status", [400, 404, 429, 500])
async def test_other_error_statuses_are_not_failures(api: Api, start: Start, status: int) -> None:
    call = await start(POLICY)
    api.fail(*[status] * 4)
    await failing(call, 4)
    assert len(api.received) == 4


async def test_half_open_circuit_lets_one_probe_through(
    api: Api, start: Start, clock: Clock, log: LogRecords, snapshot: SnapshotAssertion
) -> None:
    call = await start(POLICY)
    api.fail(503, 503)
    await failing(call)
    clock.advance(29)
    assert (await refused(call)).retry_after == 1
    clock.advance(1.1)
    held_response = api.hold()
    probe = call.task()
    await api.requests(3)
    assert (await refused(call)).retry_after == 1
    held_response.release.set()
    assert await probe == {"ok": True}
    assert await call() == {"ok": True}
    assert log.messages == snapshot


async def test_failed_probe_reopens_the_circuit(api: Api, start: Start, clock: Clock) -> None:
    call = await start(POLICY)
    api.fail(503, 503, 503)
    await failing(call)
    clock.advance(30.1)
    await failing(call, 1)
    assert (await refused(call)).retry_after == 30
    clock.advance(30.1)
    assert await call() == {"ok": True}


async def test_failure_count_restarts_after_a_successful_probe(api: Api, start: Start, clock: Clock) -> None:
    call = await start(POLICY)
    api.fail(503, 503)
    await failing(call)
    clock.advance(30.1)
    await call()
    api.fail(503)
    await failing(call, 1)
    assert await call() == {"ok": True}


async def test_cancelled_probe_lets_the_next_call_probe(api: Api, start: Start, clock: Clock) -> None:
    call = await start(POLICY)
    api.fail(503, 503)
    await failing(call)
    clock.advance(30.1)
    held_response = api.hold()
    probe = call.task()
    await api.requests(3)
    probe.cancel()
    await held_response.gone.wait()
    assert await call() == {"ok": True}


async def test_call_started_before_opening_does_not_close_the_circuit(api: Api, start: Start) -> None:
    call = await start(POLICY)
    held_response = api.hold()
    early = call.task()
    await api.requests(1)
    api.fail(503, 503)
    await failing(call)
    held_response.release.set()
    assert await early == {"ok": True}
    await refused(call)


async def test_exceeded_deadline_is_a_failure(api: Api, start: Start) -> None:
    call = await start({"breaker": {"failures": 1}}, exposed={"read": {"deadline": 0.05}})
    held_response = api.hold()
    with pytest.raises(UpstreamTimeoutError):
        await call()
    await held_response.gone.wait()
    await refused(call)


async def test_cancelled_call_is_not_a_failure(api: Api, start: Start) -> None:
    call = await start({"breaker": {"failures": 1}})
    held_response = api.hold()
    task = call.task()
    await api.requests(1)
    task.cancel()
    await held_response.gone.wait()
    assert await call() == {"ok": True}


async def test_retries_stop_when_the_circuit_opens(api: Api, start: Start) -> None:
    call = await start({**POLICY, "retry": {"attempts": 5, "backoff": 0.001}})
    api.fail(503, 504)
    with pytest.raises(UpstreamStatusError) as caught:
        await call()
    assert caught.value.upstream_status == 504
    assert len(api.received) == 2


async def test_queued_calls_are_rejected_when_the_circuit_opens(api: Api, start: Start) -> None:
    call = await start({"breaker": {"failures": 1}, "concurrency": {"calls": 1}})

    async def fail_later(request: Any) -> Any:
        await turn.wait()
        return aiohttp.web.Response(status=503)

    turn = asyncio.Event()
    api.responders.append(fail_later)
    first, second = call.task(), call.task()
    await api.requests(1)
    turn.set()
    with pytest.raises(UpstreamStatusError):
        await first
    with pytest.raises(UnavailableError) as caught:
        await second
    assert caught.value.retry_after == 30
    assert len(api.received) == 1


async def test_rejected_calls_do_not_use_the_rate_limit(api: Api, start: Start) -> None:
    call = await start({"breaker": {"failures": 1}, "rate": {"calls": 2, "per": 60, "wait": 0}})
    api.fail(503)
    await failing(call, 1)
    for _ in range(3):
        # The rate limit would be exceeded for 60 s.
        assert (await refused(call)).retry_after == 30


async def test_state_is_per_host_and_reset_on_reload(api: Api, start: Start) -> None:
    one, two = await start(POLICY), await start(POLICY)
    api.fail(503, 503)
    await failing(one)
    await refused(one)
    assert await two() == {"ok": True}
    await one.host.reload()
    assert await one() == {"ok": True}


async def test_open_circuit_over_rest_has_retry_after(api: Api) -> None:
    capability = document(api.url, POLICY)
    capability["capability"]["exposes"] = [
        {
            "type": "rest",
            "namespace": "front",
            "port": 0,
            "resources": [{"path": "/things", "operations": [{"method": "GET", "call": "things.read"}]}],
        }
    ]
    async with running(capability, plugins=plugins()) as served, aiohttp.ClientSession() as session:
        url = f"{served.url('front')}/things"
        api.fail(503, 503)
        for _ in range(2):
            async with session.get(url) as response:
                assert response.status == 503
                assert "Retry-After" not in response.headers
        async with session.get(url) as response:
            assert response.status == 503
            assert response.headers["Retry-After"] == "30"
            assert response.headers.get("Connection", "keep-alive") == "keep-alive"
            assert "30 s" in (await response.json())["detail"]


async def test_state_for_people(api: Api, start: Start, clock: Clock) -> None:
    call = await start(POLICY)
    (state,) = call.host.plans[0].consumers[0].context.states
    assert (state.name, state.read()) == ("circuit breaker", ("closed", True))
    api.fail(503, 503)
    await failing(call)
    assert state.read() == ("open for 30 s", False)
    clock.advance(31)
    assert state.read() == ("half-open", False)
    await call()
    assert state.read() == ("closed", True)
