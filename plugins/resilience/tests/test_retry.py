"""Calls are made again when that is safe, may help, and can still be in time."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web

from adapter_host import UpstreamInvalidError, UpstreamStatusError, UpstreamTimeoutError, UpstreamUnreachableError

from .conftest import Api, Clock, Notes, Start, hang_up

QUICK = {"retry": {"backoff": 0.001}}


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_status_that_passes(api: Api, start: Start, status: int) -> None:
    call = await start(QUICK)
    api.fail(status, status)
    assert await call() == {"ok": True}
    assert api.seen == ["GET /things"] * 3


async def test_a_broken_connection(api: Api, start: Start) -> None:
    call = await start(QUICK)
    # The client of the http plugin sends such a request once more itself.
    api.plan += [hang_up, hang_up]
    assert await call() == {"ok": True}
    assert len(api.seen) == 3


async def test_no_answer_in_time(api: Api, start: Start) -> None:
    call = await start(QUICK, **{"x-timeout": {"total": 0.05}})
    held = api.hold()
    assert await call() == {"ok": True}
    await held.gone.wait()
    assert len(api.seen) == 2


@pytest.mark.parametrize("status", [400, 401, 404, 409, 500, 501])
async def test_what_will_not_pass_is_not_tried_again(api: Api, start: Start, status: int) -> None:
    call = await start(QUICK)
    api.fail(status)
    with pytest.raises(UpstreamStatusError) as caught:
        await call()
    assert caught.value.upstream_status == status
    assert len(api.seen) == 1


async def test_another_format_is_not_tried_again(api: Api, start: Start) -> None:
    async def text(_: web.Request) -> web.StreamResponse:
        return web.Response(text="no JSON")

    call = await start(QUICK)
    api.plan.append(text)
    with pytest.raises(UpstreamInvalidError):
        await call()
    assert len(api.seen) == 1


@pytest.mark.parametrize("name", ["read", "put", "delete", "head", "options"])
async def test_methods_that_may_be_repeated(api: Api, start: Start, name: str) -> None:
    call = await start(QUICK)
    api.fail(503)
    await call(name)
    assert len(api.seen) == 2


@pytest.mark.parametrize("name", ["write", "patch"])
async def test_methods_that_may_not(api: Api, start: Start, name: str) -> None:
    call = await start(QUICK)
    api.fail(503)
    with pytest.raises(UpstreamStatusError):
        await call(name)
    assert len(api.seen) == 1


async def test_a_document_may_say_that_an_operation_is_idempotent_or_is_not(api: Api, start: Start) -> None:
    call = await start(QUICK, operations={"write": {"idempotent": True}, "read": {"idempotent": False}})
    api.fail(503)
    assert await call("write") == {"ok": True}
    api.fail(503)
    with pytest.raises(UpstreamStatusError):
        await call("read")
    assert api.seen == ["POST /things", "POST /things", "GET /things"]


async def test_the_last_failure_is_what_the_caller_gets(api: Api, start: Start) -> None:
    call = await start(QUICK)
    api.fail(502, 503, 504, 200)
    with pytest.raises(UpstreamStatusError) as caught:
        await call()
    assert caught.value.upstream_status == 504
    assert caught.value.body == b'{"ok": false}'
    assert len(api.seen) == 3


async def test_a_failure_that_will_not_pass_ends_it(api: Api, start: Start) -> None:
    call = await start(QUICK)
    api.fail(503, 404)
    with pytest.raises(UpstreamStatusError) as caught:
        await call()
    assert caught.value.upstream_status == 404
    assert len(api.seen) == 2


async def test_an_operation_replaces_what_its_api_says(api: Api, start: Start) -> None:
    own = {"read": {"retry": {"attempts": 2, "backoff": 0.001}}, "other": {"retry": {"attempts": 1}}}
    call = await start(QUICK, operations=own)
    api.fail(503, 503)
    with pytest.raises(UpstreamStatusError):
        await call("read")
    api.fail(503)
    with pytest.raises(UpstreamStatusError):
        await call("other")
    assert api.seen == ["GET /things", "GET /things", "GET /others"]


async def test_an_operation_alone_may_have_retries(api: Api, start: Start) -> None:
    call = await start(operations={"read": QUICK})
    api.fail(503)
    assert await call("read") == {"ok": True}
    api.fail(503)
    with pytest.raises(UpstreamStatusError):
        await call("other")


async def test_pauses_grow_up_to_the_longest(api: Api, start: Start, clock: Clock, notes: Notes) -> None:
    call = await start({"retry": {"attempts": 7, "backoff": 1, "maxBackoff": 4}})
    api.fail(*[503] * 6)
    calling = call.task()
    pauses = []
    for _ in range(6):
        pauses.append(pause(await notes.wait()))
        clock.advance(4)
    assert await calling == {"ok": True}
    for actual, longest in zip(pauses, [1, 2, 4, 4, 4, 4], strict=True):
        assert 0 <= actual <= longest
    assert len(set(pauses)) > 1


async def test_retry_after_in_seconds(api: Api, start: Start, clock: Clock, notes: Notes) -> None:
    call = await start({"retry": {}})
    api.fail(503, Retry_After="7")
    calling = call.task()
    assert 7 <= pause(await notes.wait()) <= 7.2
    clock.advance(6.5)
    await asyncio.wait([calling], timeout=0.01)
    assert len(api.seen) == 1
    clock.advance(1)
    assert await calling == {"ok": True}


async def test_retry_after_as_a_date(api: Api, start: Start, clock: Clock, notes: Notes) -> None:
    call = await start({"retry": {}})
    api.fail(429, Retry_After=format_datetime(datetime.now(UTC) + timedelta(seconds=8), usegmt=True))
    calling = call.task()
    assert 6 < pause(await notes.wait()) <= 8.2
    clock.advance(8.2)
    assert await calling == {"ok": True}


@pytest.mark.parametrize("value", ["Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:00 -0000", "0"])
async def test_retry_after_now(api: Api, start: Start, notes: Notes, value: str) -> None:
    call = await start(QUICK)
    api.fail(503, Retry_After=value)
    assert await call() == {"ok": True}
    assert pause(notes.messages[0]) == 0


@pytest.mark.parametrize("value", ["soon", "-5", "1.5", "٣", "Wed, 99 Oct 2015 07:28:00 GMT"])
async def test_retry_after_that_says_nothing(api: Api, start: Start, notes: Notes, value: str) -> None:
    call = await start(QUICK)
    api.fail(503, Retry_After=value)
    assert await call() == {"ok": True}
    assert len(api.seen) == 2
    assert pause(notes.messages[0]) <= 0.01


@pytest.mark.parametrize("value", ["11", "9" * 400])
async def test_retry_after_that_is_too_long_is_the_callers_to_wait_for(api: Api, start: Start, value: str) -> None:
    call = await start({"retry": {}})
    api.fail(503, Retry_After=value)
    with pytest.raises(UpstreamStatusError) as caught:
        await call()
    assert caught.value.headers["Retry-After"] == value
    assert len(api.seen) == 1


async def test_no_pause_goes_beyond_the_deadline(api: Api, start: Start) -> None:
    call = await start({"retry": {}, "deadline": 5})
    api.fail(503, Retry_After="6")
    with pytest.raises(UpstreamStatusError):
        await call()
    assert len(api.seen) == 1


async def test_no_pause_goes_beyond_the_deadline_of_what_is_exposed(api: Api, start: Start) -> None:
    call = await start({"retry": {}, "deadline": 20}, exposed={"read": {"deadline": 5}})
    api.fail(503, Retry_After="6")
    with pytest.raises(UpstreamStatusError):
        await call()
    assert len(api.seen) == 1


async def test_with_no_deadline_there_are_retries_within_the_hosts_time(api: Api, start: Start) -> None:
    call = await start({"retry": {}}, settings={"total_timeout": 5})
    api.fail(503, Retry_After="6")
    with pytest.raises(UpstreamStatusError):
        await call()
    assert len(api.seen) == 1


@pytest.mark.parametrize("given", [{"policy": {"deadline": 0.05}}, {"exposed": {"read": {"deadline": 0.05}}}])
async def test_a_deadline_ends_a_call(api: Api, start: Start, given: dict[str, object]) -> None:
    call = await start(**given)
    held = api.hold()
    with pytest.raises(UpstreamTimeoutError, match=r"'(things\.)?read' did not end within 0\.05 s"):
        await call()
    await held.gone.wait()


async def test_the_first_deadline_holds(api: Api, start: Start) -> None:
    call = await start({"deadline": 30}, operations={"other": {"deadline": 0.02}}, exposed={"read": {"deadline": 0.02}})
    for name, named in (("read", "'read'"), ("other", "'things.other'")):
        held = api.hold()
        with pytest.raises(UpstreamTimeoutError, match=named):
            await call(name)
        await held.gone.wait()


async def test_cancelled_while_it_pauses(api: Api, start: Start, clock: Clock, notes: Notes) -> None:
    call = await start({"retry": {"backoff": 9}, "concurrency": {"calls": 1, "wait": 0}})
    api.fail(503, Retry_After="9")
    calling = call.task()
    await notes.wait()
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    clock.advance(60)
    assert await call("other") == {"ok": True}
    assert api.seen == ["GET /things", "GET /others"]


async def test_a_pause_takes_no_turn(api: Api, start: Start, clock: Clock, notes: Notes) -> None:
    call = await start({"retry": {}, "concurrency": {"calls": 1, "wait": 0}})
    api.fail(503, Retry_After="9")
    calling = call.task()
    await notes.wait()
    assert await call("other") == {"ok": True}
    clock.advance(10)
    assert await calling == {"ok": True}


async def test_a_stream_that_began_is_not_called_again(api: Api, start: Start) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x" * 200_000)
        return await hang_up(request)

    call = await start(QUICK)
    api.fail(503)
    api.plan.append(half)
    result = await call.consumed("large").call({}, stream=True)
    assert result.stream is not None
    assert len(api.seen) == 2
    with pytest.raises(UpstreamUnreachableError):
        async for _ in result.stream:
            pass
    assert len(api.seen) == 2


async def test_secrets_are_in_no_message(api: Api, start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    made = {
        "authentication": {"type": "apikey", "key": "token", "value": "{{SECRET}}", "placement": "query"},
        "policy": {**QUICK, "breaker": {"failures": 3}, "rate": {"calls": 4, "per": 60, "wait": 0}},
    }
    call = await start(**made, settings={"environment": {"SECRET": "s3cret"}})
    api.fail(503, 503, 503)
    told = []
    for _ in range(2):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
            await call()
        told.append(str(caught.value))
    assert "left alone" in told[1]
    assert "s3cret" not in "".join(told) + "".join(record.getMessage() for record in caplog.records if ours(record))


def ours(record: object) -> bool:
    return getattr(record, "name", "").startswith("adapter_host")


def pause(note: str) -> float:
    found = re.search(r"follows in ([0-9.]+) s", note)
    assert found
    return float(found[1])
