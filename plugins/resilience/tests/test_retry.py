"""Tests of retries and deadlines."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web

from adapter_host import (
    UnavailableError,
    UpstreamIncompleteError,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamTimeoutError,
)

from .conftest import Api, Clock, LogRecords, Start, abort_connection

QUICK = {"retry": {"backoff": 0.001}}


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_transient_statuses_are_retried(api: Api, start: Start, status: int) -> None:
    call = await start(QUICK)
    api.fail(status, status)
    assert await call() == {"ok": True}
    assert api.received == ["GET /things"] * 3


async def test_broken_connection_is_retried(api: Api, start: Start) -> None:
    call = await start(QUICK)
    # The client of the http plugin itself retries such a request once.
    api.responders += [abort_connection, abort_connection]
    assert await call() == {"ok": True}
    assert len(api.received) == 3


async def test_timeout_is_retried(api: Api, start: Start, clock: Clock) -> None:
    call = await start(QUICK, **{"x-timeout": {"total": 30}})
    held_response = api.hold()
    calling = call.task()
    await api.requests(1)
    clock.advance(30)
    assert await calling == {"ok": True}
    await held_response.gone.wait()
    assert len(api.received) == 2


@pytest.mark.parametrize("status", [400, 401, 404, 409, 500, 501])
async def test_permanent_errors_are_not_retried(api: Api, start: Start, status: int) -> None:
    call = await start(QUICK)
    api.fail(status)
    with pytest.raises(UpstreamStatusError) as caught:
        await call()
    assert caught.value.upstream_status == status
    assert len(api.received) == 1


async def test_invalid_response_is_not_retried(api: Api, start: Start) -> None:
    async def text(_: web.Request) -> web.StreamResponse:
        return web.Response(text="no JSON")

    call = await start(QUICK)
    api.responders.append(text)
    with pytest.raises(UpstreamInvalidError):
        await call()
    assert len(api.received) == 1


@pytest.mark.parametrize("name", ["read", "put", "delete", "head", "options"])
async def test_idempotent_methods_are_retried(api: Api, start: Start, name: str) -> None:
    call = await start(QUICK)
    api.fail(503)
    await call(name)
    assert len(api.received) == 2


@pytest.mark.parametrize("name", ["write", "patch"])
async def test_other_methods_are_not_retried(api: Api, start: Start, name: str) -> None:
    call = await start(QUICK)
    api.fail(503)
    with pytest.raises(UpstreamStatusError):
        await call(name)
    assert len(api.received) == 1


async def test_idempotent_key(api: Api, start: Start) -> None:
    call = await start(QUICK, operations={"write": {"idempotent": True}, "read": {"idempotent": False}})
    api.fail(503)
    assert await call("write") == {"ok": True}
    api.fail(503)
    with pytest.raises(UpstreamStatusError):
        await call("read")
    assert api.received == ["POST /things", "POST /things", "GET /things"]


async def test_last_error_is_returned(api: Api, start: Start) -> None:
    call = await start(QUICK)
    api.fail(502, 503, 504, 200)
    with pytest.raises(UpstreamStatusError) as caught:
        await call()
    assert caught.value.upstream_status == 504
    assert caught.value.body == b'{"ok": false}'
    assert len(api.received) == 3


async def test_permanent_error_ends_the_retries(api: Api, start: Start) -> None:
    call = await start(QUICK)
    api.fail(503, 404)
    with pytest.raises(UpstreamStatusError) as caught:
        await call()
    assert caught.value.upstream_status == 404
    assert len(api.received) == 2


async def test_operation_policy_overrides_api_policy(api: Api, start: Start) -> None:
    own = {"read": {"retry": {"attempts": 2, "backoff": 0.001}}, "other": {"retry": {"attempts": 1}}}
    call = await start(QUICK, operations=own)
    api.fail(503, 503)
    with pytest.raises(UpstreamStatusError):
        await call("read")
    api.fail(503)
    with pytest.raises(UpstreamStatusError):
        await call("other")
    assert api.received == ["GET /things", "GET /things", "GET /others"]


async def test_retries_of_a_single_operation(api: Api, start: Start) -> None:
    call = await start(operations={"read": QUICK})
    api.fail(503)
    assert await call("read") == {"ok": True}
    api.fail(503)
    with pytest.raises(UpstreamStatusError):
        await call("other")


async def test_backoff_grows_up_to_max_backoff(api: Api, start: Start, clock: Clock, log: LogRecords) -> None:
    call = await start({"retry": {"attempts": 7, "backoff": 1, "maxBackoff": 4}})
    api.fail(*[503] * 6)
    task = call.task()
    pauses = []
    for _ in range(6):
        pauses.append(pause_from_log(await log.wait()))
        clock.advance(4)
    assert await task == {"ok": True}
    for actual, longest in zip(pauses, [1, 2, 4, 4, 4, 4], strict=True):
        assert 0 <= actual <= longest
    assert len(set(pauses)) > 1


async def test_retry_after_in_seconds(api: Api, start: Start, clock: Clock, log: LogRecords) -> None:
    call = await start({"retry": {}})
    api.fail(503, Retry_After="7")
    task = call.task()
    assert 7 <= pause_from_log(await log.wait()) <= 7.2
    clock.advance(6.5)
    await asyncio.wait([task], timeout=0.01)
    assert len(api.received) == 1
    clock.advance(1)
    assert await task == {"ok": True}


async def test_retry_after_as_a_date(api: Api, start: Start, clock: Clock, log: LogRecords) -> None:
    call = await start({"retry": {}})
    api.fail(429, Retry_After=format_datetime(datetime.now(UTC) + timedelta(seconds=8), usegmt=True))
    task = call.task()
    assert 6 < pause_from_log(await log.wait()) <= 8.2
    clock.advance(8.2)
    assert await task == {"ok": True}


@pytest.mark.parametrize("value", ["Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:00 -0000", "0"])
async def test_retry_after_now(api: Api, start: Start, log: LogRecords, value: str) -> None:
    call = await start(QUICK)
    api.fail(503, Retry_After=value)
    assert await call() == {"ok": True}
    assert pause_from_log(log.messages[0]) == 0


@pytest.mark.parametrize("value", ["soon", "-5", "1.5", "٣", "Wed, 99 Oct 2015 07:28:00 GMT"])
async def test_invalid_retry_after_is_ignored(api: Api, start: Start, log: LogRecords, value: str) -> None:
    call = await start(QUICK)
    api.fail(503, Retry_After=value)
    assert await call() == {"ok": True}
    assert len(api.received) == 2
    assert pause_from_log(log.messages[0]) <= 0.01


@pytest.mark.parametrize("value", ["11", "9" * 400])
async def test_long_retry_after_is_returned_to_the_caller(api: Api, start: Start, value: str) -> None:
    call = await start({"retry": {}})
    api.fail(503, Retry_After=value)
    with pytest.raises(UpstreamStatusError) as caught:
        await call()
    assert caught.value.headers["Retry-After"] == value
    assert len(api.received) == 1


async def test_no_retry_after_the_deadline(api: Api, start: Start) -> None:
    call = await start({"retry": {}, "deadline": 5})
    api.fail(503, Retry_After="6")
    with pytest.raises(UpstreamStatusError):
        await call()
    assert len(api.received) == 1


async def test_no_retry_after_the_deadline_of_the_exposed_operation(api: Api, start: Start) -> None:
    call = await start({"retry": {}, "deadline": 20}, exposed={"read": {"deadline": 5}})
    api.fail(503, Retry_After="6")
    with pytest.raises(UpstreamStatusError):
        await call()
    assert len(api.received) == 1


async def test_total_timeout_bounds_retries_without_a_deadline(api: Api, start: Start) -> None:
    call = await start({"retry": {}}, settings={"total_timeout": 5})
    api.fail(503, Retry_After="6")
    with pytest.raises(UpstreamStatusError):
        await call()
    assert len(api.received) == 1


@pytest.mark.parametrize("policies", [{"policy": {"deadline": 0.25}}, {"exposed": {"read": {"deadline": 0.25}}}])
async def test_deadline_cancels_the_call(api: Api, start: Start, policies: dict[str, object]) -> None:
    call = await start(**policies)
    held_response = api.hold()
    with pytest.raises(UpstreamTimeoutError, match=r"'(things\.)?read'.*0\.25 s"):
        await call()
    await held_response.gone.wait()


async def test_earliest_deadline_applies(api: Api, start: Start) -> None:
    call = await start({"deadline": 30}, operations={"other": {"deadline": 0.02}}, exposed={"read": {"deadline": 0.02}})
    # At such a deadline the API may not have received the request yet.
    for _ in range(2):
        api.hold()
    for name, named in (("read", "'read'"), ("other", "'things.other'")):
        with pytest.raises(UpstreamTimeoutError, match=named):
            await call(name)


async def test_cancelled_during_backoff(api: Api, start: Start, clock: Clock, log: LogRecords) -> None:
    call = await start({"retry": {"backoff": 9}, "concurrency": {"calls": 1, "wait": 0}})
    api.fail(503, Retry_After="9")
    task = call.task()
    await log.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    clock.advance(60)
    assert await call("other") == {"ok": True}
    assert api.received == ["GET /things", "GET /others"]


async def test_backoff_holds_no_slot(api: Api, start: Start, clock: Clock, log: LogRecords) -> None:
    call = await start({"retry": {}, "concurrency": {"calls": 1, "wait": 0}})
    api.fail(503, Retry_After="9")
    task = call.task()
    await log.wait()
    assert await call("other") == {"ok": True}
    clock.advance(10)
    assert await task == {"ok": True}


async def test_started_stream_is_not_retried(api: Api, start: Start) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x" * 200_000)
        return await abort_connection(request)

    call = await start(QUICK)
    api.fail(503)
    api.responders.append(half)
    result = await call.consumed("large").call({}, stream=True)
    assert result.stream is not None
    assert len(api.received) == 2
    with pytest.raises(UpstreamIncompleteError):
        async for _ in result.stream:
            pass
    assert len(api.received) == 2


async def test_messages_contain_no_secret(api: Api, start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    capability = {
        "authentication": {"type": "apikey", "key": "token", "value": "{{SECRET}}", "placement": "query"},
        "policy": {**QUICK, "breaker": {"failures": 3}, "rate": {"calls": 4, "per": 60, "wait": 0}},
    }
    call = await start(**capability, settings={"environment": {"SECRET": "s3cret"}})
    api.fail(503, 503, 503)
    messages = []
    for _ in range(2):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - any error
            await call()
        messages.append(str(caught.value))
    assert isinstance(caught.value, UnavailableError)
    assert "s3cret" not in "".join(messages) + "".join(
        record.getMessage() for record in caplog.records if is_own_record(record)
    )


def is_own_record(record: object) -> bool:
    return getattr(record, "name", "").startswith("adapter_host")


def pause_from_log(note: str) -> float:
    found = re.search(r"attempt [0-9]+ in ([0-9.]+) s", note)
    assert found
    return float(found[1])
