"""How the cache has handled a request, and stale responses that are validated in the background."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from adapter_host import UpstreamStatusError
from adapter_host_http.cache.revalidation import MAX_REVALIDATIONS

from .test_cache import Cached, as_caller

SWR = {"staleWhileRevalidate": 30}


@pytest.fixture
def cached(start: Any, api: Any) -> Cached:
    return Cached(start, api)


async def seen(call: Any) -> tuple[int, str | None, str]:
    """Return the number in a response, how the cache has used it, and its `Cache-Status`."""
    result = await call.operation.call({})
    return result.data["n"], result.cached, result.headers["Cache-Status"]


async def revalidated(call: Any) -> None:
    """Wait for the revalidations in the background."""
    tasks = call.consumer.cache._revalidations._tasks.values()
    if tasks:
        await asyncio.wait(tasks)


async def test_status(cached: Cached) -> None:
    cached.tag = '"1"'
    call = await cached.start(**{"x-cache": {"staleIfError": 30}})
    assert await seen(call) == (1, None, "adapter-host; fwd=miss")
    cached.clock.now += 50
    assert await seen(call) == (1, "hit", "adapter-host; hit; ttl=10")
    cached.clock.now += 10
    assert await seen(call) == (1, "revalidated", "adapter-host; fwd=stale; fwd-status=304")
    cached.clock.now += 60
    cached.tag = '"2"'
    assert await seen(call) == (3, None, "adapter-host; fwd=stale")
    cached.clock.now += 60
    cached.status, cached.tag = 503, ""
    assert await seen(call) == (3, "stale", "adapter-host; fwd=stale; detail=stale-if-error")


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("Cache-Control", "no-cache", "fwd=request"),
        ("Cache-Control", "no-store", "fwd=bypass"),
        ("Range", "bytes=0-", "fwd=bypass"),
        ("Cache-Control", "max-stale", "hit; ttl=-1"),
    ],
)
async def test_status_of_requests_with_directives(cached: Cached, name: str, value: str, status: str) -> None:
    call = await cached.start({"inputParameters": [{"name": name, "in": "header", "type": "string"}]})
    await call.operation.call({})
    cached.clock.now += 61
    result = await call.operation.call({name: value})
    assert result.headers["Cache-Status"] == f"adapter-host; {status}"


async def test_status_follows_those_of_other_caches(cached: Cached) -> None:
    cached.headers["Cache-Status"] = "cdn; hit"
    call = await cached.start()
    for own in ("fwd=miss", "hit; ttl=60"):
        assert (await call.operation.call({})).headers.getall("Cache-Status") == ["cdn; hit", f"adapter-host; {own}"]


async def test_no_status(cached: Cached) -> None:
    call = await cached.start(**{"x-cache": {"cacheStatus": False}})
    results = [await call.operation.call({}) for _ in range(2)]
    assert ["Cache-Status" in result.headers for result in results] == [False, False]
    assert [result.cached for result in results] == [None, "hit"]


async def test_error_that_is_kept(cached: Cached) -> None:
    cached.status = 404
    call = await cached.start()
    outcomes = []
    for _ in range(2):
        with pytest.raises(UpstreamStatusError) as raised:
            await call()
        outcomes.append(raised.value.cached)
    assert outcomes == [None, "hit"]


@pytest.mark.parametrize("tag", ["", '"1"'])
async def test_stale_while_revalidate(cached: Cached, tag: str) -> None:
    cached.tag = tag
    call = await cached.start(**{"x-cache": SWR})
    await call()
    release = asyncio.Event()

    async def reply(request: web.Request) -> web.StreamResponse:
        await release.wait()
        return await cached.reply(request)

    cached.api.reply = reply
    cached.clock.now += 90
    # No call waits for the API, and one request is sent for all of them.
    assert [await seen(call) for _ in range(3)] == [(1, "stale", "adapter-host; hit; ttl=-30")] * 3
    release.set()
    await revalidated(call)
    assert cached.count == 2
    assert cached.api.last.headers.get("If-None-Match", "") == tag
    assert await seen(call) == (1 if tag else 2, "hit", "adapter-host; hit; ttl=60")
    cached.clock.now += 91
    assert (await seen(call))[1] == ("revalidated" if tag else None)


@pytest.mark.parametrize(
    ("control", "directive", "served"),
    [
        ("stale-while-revalidate=30", "", True),
        ("stale-while-revalidate=5", "", False),
        ("stale-while-revalidate=0", "", False),
        ("stale-while-revalidate=30, must-revalidate", "", False),
        ("stale-while-revalidate=30, no-cache", "", False),
        ("stale-while-revalidate=30, s-maxage=60", "", False),
        ("stale-while-revalidate=30", "no-cache", False),
        ("stale-while-revalidate=30", "max-age=69", False),
        ("stale-while-revalidate=30", "max-age=70", True),
        ("stale-while-revalidate=30", "min-fresh=1", False),
    ],
)
async def test_directives(cached: Cached, control: str, directive: str, served: bool) -> None:
    cached.headers = {"Cache-Control": f"max-age=60, {control}"}
    header = {"name": "Cache-Control", "in": "header", "type": "string"}
    call = await cached.start({"inputParameters": [header]}, **{"x-cache": SWR})
    await call.operation.call({})
    cached.clock.now += 70
    result = await call.operation.call({"Cache-Control": directive} if directive else {})
    assert (result.data == {"n": 1}, result.cached) == (served, "stale" if served else None)
    await revalidated(call)
    assert cached.count == 2


async def test_only_if_cached_sends_nothing(cached: Cached) -> None:
    header = {"name": "Cache-Control", "in": "header", "type": "string"}
    call = await cached.start({"inputParameters": [header]}, **{"x-cache": SWR})
    await call.operation.call({})
    cached.clock.now += 70
    result = await call.operation.call({"Cache-Control": "only-if-cached"})
    assert (result.data, result.cached) == ({"n": 1}, "stale")
    await revalidated(call)
    assert cached.count == 1


async def test_failures_are_logged_once(
    cached: Cached, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapter_host_http.cache.revalidation.PAUSE", 0)
    call = await cached.start(**{"x-cache": SWR})
    await call()
    cached.status = 500
    cached.clock.now += 70
    for _ in range(3):
        assert (await seen(call))[1] == "stale"
        await revalidated(call)
    assert cached.count == 4
    assert [record.getMessage() for record in caplog.records if record.name == "adapter_host.http"] == [
        "upstream 'api': stale responses are not revalidated: the upstream returned 500"
    ]


async def test_failed_revalidation_is_not_repeated_at_once(cached: Cached) -> None:
    call = await cached.start(**{"x-cache": SWR})
    await call()
    responded = asyncio.Event()

    async def reply(_: web.Request) -> web.StreamResponse:
        responded.set()
        return web.Response(status=500)

    cached.api.reply = reply
    cached.clock.now += 70
    await call()
    await responded.wait()
    assert [(await seen(call))[1] for _ in range(20)] == ["stale"] * 20
    assert cached.count == 2


async def test_stop_ends_revalidations(cached: Cached) -> None:
    call = await cached.start(**{"x-cache": SWR})
    await call()
    arrived = asyncio.Event()

    async def reply(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError

    cached.api.reply = reply
    cached.clock.now += 70
    await call()
    await arrived.wait()
    tasks = tuple(call.consumer.cache._revalidations._tasks.values())
    await call.host.stop()
    assert [task.cancelled() for task in tasks] == [True]
    await cached.api.closed.wait()


async def test_number_is_limited(cached: Cached) -> None:
    path = {"name": "q", "in": "query", "type": "integer"}
    call = await cached.start({"inputParameters": [path]}, **{"x-cache": SWR})
    urls = range(MAX_REVALIDATIONS + 5)
    for q in urls:
        await call.operation.call({"q": q})
    cached.clock.now += 70
    release = asyncio.Event()

    async def reply(request: web.Request) -> web.StreamResponse:
        await release.wait()
        return await cached.reply(request)

    cached.api.reply = reply
    assert {(await call.operation.call({"q": q})).cached for q in urls} == {"stale"}
    release.set()
    await revalidated(call)
    assert cached.count == len(urls) + MAX_REVALIDATIONS


async def test_private_response_is_revalidated_for_its_caller(cached: Cached) -> None:
    cached.headers = {"Cache-Control": "private, max-age=60"}
    call = await cached.start(**{"x-cache": SWR})
    assert [await as_caller(call, name) for name in ("ann", "bob")] == [{"n": 1}, {"n": 2}]
    cached.clock.now += 70
    assert await as_caller(call, "ann") == {"n": 1}
    await revalidated(call)
    assert [await as_caller(call, name) for name in ("ann", "bob")] == [{"n": 3}, {"n": 2}]
