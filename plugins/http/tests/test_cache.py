"""The response cache, in front of a real API, with a clock that only the tests advance."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from itertools import count
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

import adapter_host_http
from adapter_host import (
    HeaderWriter,
    Host,
    MemoryStateStore,
    Plugins,
    Principal,
    Settings,
    StoreUnavailableError,
    UpstreamError,
    UpstreamStatusError,
    current_call,
    hookimpl,
)
from adapter_host_http.cache.storage import MAX_MISSED, CacheStorage, WrittenEntries
from adapter_host_http.cache_policy import KEPT_FOR, MAX_BODY

from .conftest import NullExposer, StartedHost, document, single_operation

START = 1_800_000_000.0
BEARER = {"type": "bearer", "token": "s3cr3t"}


class Clock:
    """The time of the cache and of the `Date` of responses."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


def date_of(at: float) -> str:
    return format_datetime(datetime.fromtimestamp(at, UTC), usegmt=True)


class Cached:
    """A host with cached operations, and the API behind it."""

    def __init__(self, start: Any, api: Any) -> None:
        self.api = api
        self.clock = Clock()
        self.headers: dict[str, str] = {"Cache-Control": "max-age=60"}
        self.status = 200
        self.body: bytes | None = None
        self.tag = ""
        self._start = start
        api.reply = self.reply

    async def reply(self, request: web.Request) -> web.StreamResponse:
        headers = CIMultiDict({"Date": date_of(self.clock.now), **self.headers})
        if self.tag:
            headers["ETag"] = self.tag
            if request.headers.get("If-None-Match") == self.tag:
                return web.Response(status=304, headers=headers)
        body = b'{"n": %d}' % len(self.api.requests) if self.body is None else self.body
        return web.Response(status=self.status, body=body, headers=headers, content_type="application/json")

    async def start(self, operation: Any = None, **options: Any) -> Any:
        call = await self._start(operation, **{"x-cache": True, **options})
        call.consumer.cache.storage.clock = self.clock
        return call

    @property
    def count(self) -> int:
        return len(self.api.requests)


@pytest.fixture(params=["native", "aiohttp"])
def cached(start: Any, api: Any, request: pytest.FixtureRequest) -> Cached:
    return Cached(partial(start, **{"x-transport": request.param}), api)


async def test_off_by_default(start: Any, api: Any) -> None:
    server = Cached(start, api)
    call = await start()
    assert [await call(), await call()] == [{"n": 1}, {"n": 2}]
    assert call.consumer.cache is None
    assert server.count == 2


async def test_fresh_response_is_used(cached: Cached) -> None:
    call = await cached.start()
    first = await call.operation.call({})
    assert "Age" not in first.headers
    cached.clock.now += 59
    second = await call.operation.call({})
    assert (second.data, second.status, second.media_type) == ({"n": 1}, 200, first.media_type)
    assert second.headers["age"] == "59"
    assert second.headers["Cache-Control"] == "max-age=60"
    cached.clock.now += 1
    assert await call() == {"n": 2}


@pytest.mark.parametrize(
    ("headers", "lifetime"),
    [
        ({"Cache-Control": "max-age=10"}, 10),
        ({"Cache-Control": "max-age=10, s-maxage=20"}, 20),
        ({"Cache-Control": 'MAX-AGE="10"'}, 10),
        ({"Cache-Control": "max-age=10, max-age=99"}, 10),
        ({"Cache-Control": "max-age=10", "Age": "4"}, 6),
        ({"Cache-Control": "max-age=10", "Date": date_of(START - 3)}, 7),
        ({"Expires": date_of(START + 10)}, 10),
        ({"Expires": date_of(START + 10), "Cache-Control": "max-age=5"}, 5),
        ({"Expires": date_of(START + 10), "Date": date_of(START - 2)}, 10),
        ({"Expires": "0"}, 0),
        ({"Cache-Control": "max-age=ten"}, 0),
        ({"Cache-Control": "max-age=10, @"}, 0),
        ({"Cache-Control": "no-store, max-age=10"}, 0),
        ({"Cache-Control": "no-cache, max-age=10"}, 0),
        ({"Cache-Control": 'no-cache="Set-Cookie", max-age=10'}, 0),
        ({"Cache-Control": "private, max-age=10"}, 0),
        ({"Cache-Control": "max-age=10", "Vary": "*"}, 0),
        ({"Cache-Control": "max-age=10", "Set-Cookie": "a=b"}, 0),
        ({"Cache-Control": "max-age=99999999999999999999"}, KEPT_FOR),
        ({}, 0),
    ],
)
async def test_lifetime(start: Any, api: Any, headers: dict[str, str], lifetime: float) -> None:
    cached = Cached(start, api)
    cached.headers = headers
    call = await cached.start()
    await call()
    cached.headers = {"Cache-Control": "no-store"}
    if lifetime:
        cached.clock.now += lifetime - 1
        await call()
        assert cached.count == 1
        cached.clock.now += 1
    if lifetime < KEPT_FOR:
        await call()
        assert cached.count == 2


async def test_validation_updates_the_response(cached: Cached) -> None:
    cached.tag, cached.headers["X-Version"] = '"1"', "1"
    call = await cached.start()
    await call()
    cached.clock.now += 60
    cached.headers["X-Version"] = "2"
    result = await call.operation.call({})
    assert (result.data, result.status, result.headers["X-Version"]) == ({"n": 1}, 200, "2")
    assert cached.api.last.headers["If-None-Match"] == '"1"'
    cached.clock.now += 59
    assert (await call.operation.call({})).headers["X-Version"] == "2"
    assert cached.count == 2


async def test_validation_by_date(cached: Cached) -> None:
    cached.headers = {"Cache-Control": "no-cache", "Last-Modified": date_of(START - 100)}
    call = await cached.start()
    await call()
    cached.status, cached.body = 304, b""
    assert await call() == {"n": 1}
    assert cached.api.last.headers["If-Modified-Since"] == date_of(START - 100)
    assert "If-None-Match" not in cached.api.last.headers


async def test_changed_response_replaces_the_kept_one(cached: Cached) -> None:
    cached.tag = '"1"'
    call = await cached.start()
    await call()
    cached.clock.now += 60
    cached.tag = '"2"'
    assert [await call(), await call()] == [{"n": 2}, {"n": 2}]
    cached.clock.now += 60
    assert await call() == {"n": 2}
    assert cached.api.last.headers["If-None-Match"] == '"2"'


async def test_uncacheable_response_drops_the_kept_one(cached: Cached) -> None:
    cached.tag = '"1"'
    call = await cached.start()
    await call()
    cached.clock.now += 60
    cached.tag, cached.headers = "", {"Cache-Control": "no-store"}
    await call()
    await call()
    assert "If-None-Match" not in cached.api.last.headers


async def test_validation_that_adds_vary_evicts(cached: Cached) -> None:
    cached.tag = '"1"'
    call = await cached.start()
    await call()
    cached.clock.now += 60
    cached.headers["Vary"] = "Accept-Language"
    assert await call() == {"n": 1}
    assert await call() == {"n": 3}
    assert await call() == {"n": 3}


async def test_validation_that_forbids_to_keep_the_response(cached: Cached) -> None:
    cached.tag = '"1"'
    call = await cached.start()
    await call()
    cached.clock.now += 60
    cached.headers["Cache-Control"] = "no-store, max-age=60"
    assert await call() == {"n": 1}
    assert await call() == {"n": 3}
    assert "If-None-Match" not in cached.api.last.headers


async def test_304_for_another_response(cached: Cached) -> None:
    cached.tag = '"1"'
    call = await cached.start()
    await call()
    cached.clock.now += 60

    async def reply(request: web.Request) -> web.Response:
        is_conditional = "If-None-Match" in request.headers
        return web.json_response({"new": True}, status=304 if is_conditional else 200, headers={"ETag": '"2"'})

    cached.api.reply = reply
    assert await call() == {"new": True}
    assert cached.count == 3


SECONDS = st.none() | st.integers(0, 30)


@st.composite
def exchanges(draw: Any) -> dict[str, Any]:
    """Generate the times of a response and of a request after it; None is an absent header or directive."""
    names = ("max-age", "s-maxage", "Age", "Expires")
    drawn: dict[str, Any] = {name: draw(SECONDS) for name in names}
    drawn["Date"] = draw(st.none() | st.integers(-5, 20))
    for name in ("delay", "elapsed"):
        drawn[name] = draw(st.integers(0, 40 if name == "elapsed" else 20))
    drawn["private"], drawn["must-revalidate"] = draw(st.booleans()), draw(st.booleans())
    drawn["request"] = draw(st.none() | st.tuples(st.sampled_from(["max-age", "min-fresh", "max-stale"]), SECONDS))
    return drawn


def headers_of(drawn: Mapping[str, Any], sent: float) -> dict[str, str]:
    """Return the headers of the response; `Date` is so many seconds before it was sent."""
    directives = [f"{name}={drawn[name]}" for name in ("max-age", "s-maxage") if drawn[name] is not None]
    directives += [name for name in ("private", "must-revalidate") if drawn[name]]
    headers = {"Cache-Control": ", ".join(directives), "ETag": '"1"'}
    if drawn["Age"] is not None:
        headers["Age"] = str(drawn["Age"])
    headers["Date"] = date_of(sent - (drawn["Date"] or 0))
    if drawn["Expires"] is not None:
        headers["Expires"] = date_of(sent - (drawn["Date"] or 0) + drawn["Expires"])
    return headers


def may_reuse(drawn: Mapping[str, Any]) -> Any:
    """Return whether RFC 9111, sections 4.2 and 5.2, lets a cache use the response without validation."""
    declared = [drawn["max-age"], drawn["Expires"]]
    if not drawn["private"]:
        declared.insert(0, drawn["s-maxage"])
    fresh_for = next((seconds for seconds in declared if seconds is not None), 0)
    age = max(drawn["Date"] or 0, (drawn["Age"] or 0) + drawn["delay"], 0) + drawn["elapsed"]
    name, value = drawn["request"] or (None, None)
    if name == "max-age" and age > (value or 0):
        return False
    if name == "max-stale":
        strict = drawn["must-revalidate"] or (drawn["s-maxage"] is not None and not drawn["private"])
        return age < fresh_for or (not strict and (value is None or age <= fresh_for + value))
    return age + ((value or 0) if name == "min-fresh" else 0) < fresh_for


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=exchanges())
async def test_freshness_is_that_of_the_rfc(freshness: Any, drawn: dict[str, Any]) -> None:
    cached, call, numbers = freshness
    number = next(numbers)

    async def reply(request: web.Request) -> web.Response:
        if "If-None-Match" in request.headers:
            return web.Response(status=304)
        cached.clock.now += drawn["delay"]
        return web.Response(body=b"{}", headers=headers_of(drawn, cached.clock.now))

    cached.api.reply = reply
    before = cached.count
    arguments = {"q": number}
    principal = Principal("ann")
    await call.host.call("api.do", arguments, principal=principal)
    cached.clock.now += drawn["elapsed"]
    if drawn["request"] is not None:
        name, value = drawn["request"]
        arguments["Cache-Control"] = name if value is None else f"{name}={value}"
    await call.host.call("api.do", arguments, principal=principal)
    assert cached.count - before == (1 if may_reuse(drawn) else 2)


@pytest.fixture
async def freshness(start: Any, api: Any) -> Any:
    """Return a host for all examples, which differ in the query."""
    cached = Cached(start, api)
    inputs = [{"name": "Cache-Control", "in": "header"}, {"name": "q", "in": "query", "type": "integer"}]
    return cached, await cached.start({"inputParameters": inputs}), count()


LANGUAGE = {"inputParameters": [{"name": "Accept-Language", "in": "header"}, {"name": "q", "in": "query"}]}


async def test_requests_that_differ(cached: Cached) -> None:
    call = await cached.start(LANGUAGE)
    language = "Accept-Language"
    assert [await call(q="1"), await call(q="2"), await call(q="1")] == [{"n": 1}, {"n": 2}, {"n": 1}]
    # The API has forgotten `Vary`.
    assert [await call(**{language: "en"}), await call(**{language: "no"})] == [{"n": 3}, {"n": 4}]
    assert await call(**{language: "en"}) == {"n": 3}


async def test_vary_on_a_header_of_the_host(cached: Cached) -> None:
    cached.headers["Vary"] = "X-Request-Id"
    call = await cached.start(**{"x-request-id": True})
    assert [await call(), await call()] == [{"n": 1}, {"n": 2}]
    cached.headers["Vary"] = "Accept"
    other = await cached.start(path="/other", **{"x-request-id": True})
    assert [await other(), await other()] == [{"n": 3}, {"n": 3}]


CONTROL = {"inputParameters": [{"name": "Cache-Control", "in": "header"}]}


@pytest.mark.parametrize(
    ("directive", "age", "requests"),
    [
        ("no-cache", 0, 2),
        ("no-store", 0, 2),
        ("max-age=5", 5, 1),
        ("max-age=5", 6, 2),
        ("min-fresh=20", 39, 1),
        ("min-fresh=20", 40, 2),
        ("max-stale=10", 70, 1),
        ("max-stale=10", 71, 2),
        ("max-stale", 3600, 1),
    ],
)
async def test_directives_of_requests(start: Any, api: Any, directive: str, age: float, requests: int) -> None:
    cached = Cached(start, api)
    cached.tag = '"1"'
    call = await cached.start(CONTROL)
    await call()
    cached.clock.now += age
    await call(**{"Cache-Control": directive})
    assert cached.count == requests


async def test_only_if_cached(cached: Cached) -> None:
    call = await cached.start(CONTROL)
    with pytest.raises(UpstreamStatusError) as caught:
        await call(**{"Cache-Control": "only-if-cached"})
    assert (caught.value.upstream_status, cached.count) == (504, 0)
    await call()
    assert await call(**{"Cache-Control": "only-if-cached"}) == {"n": 1}


@pytest.mark.parametrize("header", ["Range", "If-None-Match", "If-Modified-Since"])
async def test_conditional_and_partial_requests_are_passed_on(cached: Cached, header: str) -> None:
    call = await cached.start({"inputParameters": [{"name": header, "in": "header"}]})
    await call(**{header: "bytes=0-5"})
    await call(**{header: "bytes=0-5"})
    assert cached.count == 2


@pytest.mark.parametrize("status", [206, 201, 302, 403, 429, 500])
async def test_statuses_that_are_not_kept(cached: Cached, status: int) -> None:
    cached.status = status
    call = await cached.start()
    for _ in range(2):
        with suppress(UpstreamStatusError):
            await call()
    assert cached.count == 2


async def test_error_that_is_kept(cached: Cached) -> None:
    cached.status = 404
    call = await cached.start()
    for _ in range(2):
        with pytest.raises(UpstreamStatusError) as caught:
            await call()
        assert (caught.value.upstream_status, caught.value.body) == (404, b'{"n": 1}')
    assert cached.count == 1


async def test_head_and_get_have_responses_of_their_own(cached: Cached) -> None:
    operations = [{"name": method, "method": method} for method in ("HEAD", "GET")]
    call = await cached.start(resources=[{"path": "/things", "operations": operations}])
    for _ in range(2):
        for operation, body in zip(call.operations, [b"", b'{"n": 2}'], strict=True):
            assert (await operation.call({})).body == body
    assert cached.count == 2


async def test_redirect_is_followed_each_time(cached: Cached) -> None:
    async def reply(request: web.Request) -> web.StreamResponse:
        if request.path == "/things":
            raise web.HTTPFound("/elsewhere")
        return await cached.reply(request)

    cached.api.reply = reply
    call = await cached.start()
    assert [await call(), await call()] == [{"n": 2}, {"n": 2}]
    assert [request.target for request in cached.api.requests] == ["/things", "/elsewhere", "/things"]


WRITES = ["POST", "PUT", "PATCH", "DELETE"]


@pytest.mark.parametrize("method", WRITES)
async def test_writes_drop_the_responses_of_their_url(cached: Cached, method: str) -> None:
    names = {"read": "GET", "write": method}
    resource = {"path": "/things", "operations": [{"name": name, "method": verb} for name, verb in names.items()]}
    other = {"path": "/others", "operations": [{"name": "other", "method": "GET"}]}
    call = await cached.start(resources=[resource, other])
    read, write, unrelated = call.operations
    assert [(await each.call({})).data for each in (read, unrelated, write, read)] == [{"n": n} for n in (1, 2, 3, 4)]
    assert (await unrelated.call({})).data == {"n": 2}
    cached.status = 400
    with pytest.raises(UpstreamStatusError):
        await write.call({})
    assert (await read.call({})).data == {"n": 4}
    cached.status, cached.headers["Content-Location"] = 200, "/others#part"
    await write.call({})
    assert (await unrelated.call({})).data == {"n": 7}


async def test_write_during_a_read(cached: Cached) -> None:
    resource = {"path": "/things", "operations": [{"name": "read", "method": "GET"}, {"name": "w", "method": "PUT"}]}
    call = await cached.start(resources=[resource])
    read, write = call.operations
    arrived, release = asyncio.Event(), asyncio.Event()

    async def reply(request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            arrived.set()
            await release.wait()
        return await cached.reply(request)

    cached.api.reply = reply
    reading = asyncio.create_task(read.call({}))
    await arrived.wait()
    await write.call({})
    release.set()
    await reading
    await read.call({})
    assert [request.method for request in cached.api.requests] == ["GET", "PUT", "GET"]


async def test_forwarded_write_drops_responses(cached: Cached) -> None:
    call = await cached.start()
    await call()
    await call.consumer.forwarding().call({"method": "PUT", "path": "things"})
    assert await call() == {"n": 3}


@pytest.mark.parametrize(
    ("control", "options", "requests"),
    [
        ("max-age=60", {}, 2),
        ("max-age=60, public", {}, 1),
        ("max-age=60, must-revalidate", {}, 1),
        ("s-maxage=60", {}, 1),
        ("max-age=60", {"x-cache": {"shared": True}}, 1),
        ("max-age=60, private", {"x-cache": {"shared": True}}, 2),
    ],
)
async def test_responses_for_the_credential_of_the_host(
    start: Any, api: Any, control: str, options: dict[str, Any], requests: int
) -> None:
    cached = Cached(start, api)
    cached.headers = {"Cache-Control": control}
    call = await cached.start(authentication=BEARER, **options)
    await call()
    await call()
    assert cached.count == requests


async def as_caller(call: Any, name: str | None, **more: Any) -> Any:
    principal = None if name is None else Principal(name, **more)
    return (await call.host.call("api.do", {}, principal=principal)).data


async def test_private_responses_are_those_of_their_caller(cached: Cached) -> None:
    cached.headers = {"Cache-Control": "private, max-age=60"}
    call = await cached.start()
    assert [await as_caller(call, "ann") for _ in range(2)] == [{"n": 1}] * 2
    assert [await as_caller(call, "bob") for _ in range(2)] == [{"n": 2}] * 2
    assert await as_caller(call, "ann", issuer="https://other") == {"n": 3}
    assert [await as_caller(call, None) for _ in range(2)] == [{"n": 4}, {"n": 5}]
    assert await as_caller(call, "ann") == {"n": 1}


async def test_private_response_after_one_for_all(cached: Cached) -> None:
    call = await cached.start()
    assert [await as_caller(call, name) for name in ("ann", "bob", None)] == [{"n": 1}] * 3
    cached.clock.now += 60
    cached.headers["Cache-Control"] = "private, max-age=60"
    assert [await as_caller(call, name) for name in ("ann", "bob", None)] == [{"n": n} for n in (2, 3, 4)]
    assert await as_caller(call, "ann") == {"n": 2}


async def test_concurrent_misses_of_private_responses(cached: Cached) -> None:
    cached.headers = {"Cache-Control": "private, max-age=60"}
    call = await cached.start()
    names = [f"caller {number % 5}" for number in range(20)]
    received: dict[str, set[int]] = {name: set() for name in names}
    for name, result in zip(names, await asyncio.gather(*(as_caller(call, name) for name in names)), strict=True):
        received[name].add(result["n"])
    # No response is that of two callers, and the stored one of each is one of its own, whichever arrived last.
    assert len(set().union(*received.values())) == sum(map(len, received.values()))
    for name, numbers in received.items():
        assert (await as_caller(call, name))["n"] in numbers


class TokenPlugin:
    """Writes the token of each caller."""

    @hookimpl
    def upstream_headers(self) -> HeaderWriter:
        def write(headers: MutableMapping[str, str]) -> None:
            principal = current_call().principal
            headers["Authorization"] = f"Bearer {principal.subject if principal else ''}"

        return write


async def test_token_that_a_plugin_writes_is_in_the_key(start: Any, api: Any) -> None:
    cached = Cached(start, api)
    consumer = {"baseUri": api.url, "x-cache": {"shared": True}, **single_operation()}
    plugins = Plugins({"http": adapter_host_http, "silent": NullExposer, "tokens": TokenPlugin()})
    async with Host(document(consumer, {}), plugins=plugins, settings=Settings(environment={})) as host:
        call = StartedHost(host)
        call.consumer.cache.storage.clock = cached.clock  # type: ignore[attr-defined]
        assert [await as_caller(call, name) for name in ("ann", "bob", "ann")] == [{"n": 1}, {"n": 2}, {"n": 1}]


@pytest.mark.parametrize("secret", ["s3cr3t", "other"])
async def test_responses_are_those_of_one_credential(start: Any, api: Any, secret: str) -> None:
    cached = Cached(start, api)
    cached.headers = {"Cache-Control": "public, max-age=60"}
    shared = MemoryStateStore()
    for token in ("s3cr3t", secret):
        call = await cached.start(authentication={**BEARER, "token": token})
        site = call.consumer.cache.storage.key()
        call.consumer.cache.storage = CacheStorage(shared, None, site, 60.0, cached.clock)
        await call()
    assert cached.count == (1 if secret == "s3cr3t" else 2)


@pytest.mark.parametrize("failure", ["status", "disconnect"])
async def test_stale_if_error(cached: Cached, failure: str) -> None:
    call = await cached.start(**{"x-cache": {"staleIfError": 30}})
    await call()

    async def reply(request: web.Request) -> web.StreamResponse:
        if failure == "disconnect" and request.transport is not None:
            request.transport.close()
        return web.Response(status=503)

    cached.api.reply = reply
    cached.clock.now += 90
    result = await call.operation.call({})
    assert (result.data, result.headers["Age"]) == ({"n": 1}, "90")
    cached.clock.now += 1
    with pytest.raises(UpstreamError):
        await call()


@pytest.mark.parametrize(
    ("control", "served"),
    [
        ("stale-if-error=30", True),
        ("stale-if-error=5", False),
        ("stale-if-error=30, must-revalidate", False),
        ("stale-if-error=30, proxy-revalidate", False),
        ("stale-if-error=30, no-cache", False),
        ("stale-if-error=30, s-maxage=60", False),
    ],
)
async def test_stale_if_error_of_responses(start: Any, api: Any, control: str, served: bool) -> None:
    cached = Cached(start, api)
    cached.headers = {"Cache-Control": f"max-age=60, {control}"}
    call = await cached.start()
    await call()
    cached.status = 502
    cached.clock.now += 70
    if served:
        assert await call() == {"n": 1}
    else:
        with pytest.raises(UpstreamStatusError):
            await call()


async def test_concurrent_misses_send_one_request(cached: Cached) -> None:
    call = await cached.start()
    assert await asyncio.gather(*(call() for _ in range(20))) == [{"n": 1}] * 20
    cached.clock.now += 60
    assert await asyncio.gather(*(call() for _ in range(20))) == [{"n": 2}] * 20


async def test_concurrent_misses_of_responses_that_are_not_kept(cached: Cached) -> None:
    cached.headers = {}
    call = await cached.start()
    results = await asyncio.gather(*(call() for _ in range(5)))
    assert sorted(result["n"] for result in results) == [1, 2, 3, 4, 5]


async def test_caller_that_leaves_does_not_fail_the_others(cached: Cached) -> None:
    call = await cached.start()
    arrived, release = asyncio.Event(), asyncio.Event()

    async def reply(request: web.Request) -> web.StreamResponse:
        arrived.set()
        await release.wait()
        return await cached.reply(request)

    cached.api.reply = reply
    first = asyncio.create_task(call())
    await arrived.wait()
    others = [asyncio.create_task(call()) for _ in range(5)]
    await asyncio.sleep(0)
    first.cancel()
    release.set()
    results = await asyncio.gather(*others)
    assert (results, cached.count) == ([{"n": 2}] * 5, 2)


@pytest.mark.parametrize(("size", "requests"), [(MAX_BODY - 2, 1), (MAX_BODY - 1, 2)])
@pytest.mark.parametrize("stream", [False, True])
async def test_size(cached: Cached, size: int, requests: int, stream: bool) -> None:
    cached.body = b'"' + b"x" * size + b'"'
    call = await cached.start()
    for _ in range(2):
        result = await call.operation.call({}, stream=stream)
        body = result.body if result.stream is None else b"".join([chunk async for chunk in result.stream])
        assert body == cached.body
    assert cached.count == requests


async def test_events_are_not_kept(cached: Cached) -> None:
    async def reply(_: web.Request) -> web.Response:
        return web.Response(text="data: 1\n\n", content_type="text/event-stream", headers=cached.headers)

    cached.api.reply = reply
    call = await cached.start({"outputMediaType": "text/event-stream"})
    for _ in range(2):
        assert (await call.operation.call({})).body == b"data: 1\n\n"
    assert cached.count == 2


async def test_smaller_limit_applies_to_kept_responses(cached: Cached) -> None:
    operations = [
        {"name": "all", "method": "GET", "outputRawFormat": "binary"},
        {"name": "few", "method": "GET", "outputRawFormat": "binary", "maxBinarySize": "4B"},
    ]
    call = await cached.start(resources=[{"path": "/things", "operations": operations}])
    every, few = call.operations
    assert (await every.call({})).body == b'{"n": 1}'
    with pytest.raises(UpstreamError, match="larger than 4 bytes"):
        await few.call({})
    assert cached.count == 1


async def test_converted_response_is_kept_as_received(cached: Cached) -> None:
    cached.body = b"<a><b>1</b></a>"
    call = await cached.start({"outputRawFormat": "xml"})
    assert [await call(), await call()] == [{"b": "1"}, {"b": "1"}]
    assert cached.count == 1


class Store(MemoryStateStore):
    """A store that can be away."""

    away = False

    def _check(self) -> None:
        if self.away:
            raise StoreUnavailableError("away")

    async def get(self, key: str) -> bytes | None:
        self._check()
        return await super().get(key)

    async def set(self, *args: Any) -> None:
        self._check()
        await super().set(*args)


async def test_store_that_is_away(cached: Cached) -> None:
    names = {"read": "GET", "write": "PUT"}
    resource = {"path": "/things", "operations": [{"name": name, "method": verb} for name, verb in names.items()]}
    call = await cached.start(resources=[resource])
    store = Store()
    call.consumer.cache.storage = CacheStorage(store, None, "site", 60.0, cached.clock)
    read, write = call.operations
    await read.call({})
    store.away = True
    assert (await read.call({})).data == {"n": 2}
    assert (await write.call({})).data == {"n": 3}
    store.away = False
    # The response from before the write is not used.
    assert [(await read.call({})).data for _ in range(2)] == [{"n": 4}, {"n": 4}]


async def test_more_writes_without_the_store_than_are_remembered() -> None:
    store, clock = Store(clock=Clock()), Clock()
    storage = CacheStorage(store, None, "site", 60.0, clock)
    store.away = True
    for number in range(MAX_MISSED + 1):
        with pytest.raises(StoreUnavailableError):
            await storage.invalidate(f"http://a/{number}")
    store.away = False
    with pytest.raises(StoreUnavailableError):
        await storage.read_url("http://a/other")
    clock.now += KEPT_FOR
    assert (await storage.read_url("http://a/other")).generation == ""


async def test_process_bounds_the_responses_in_a_shared_store(cached: Cached) -> None:
    call = await cached.start({"inputParameters": [{"name": "q", "in": "query", "type": "integer"}]})
    written = WrittenEntries(max_entries=2, max_bytes=10_000)
    call.consumer.cache.storage = CacheStorage(MemoryStateStore(), None, "site", 60.0, cached.clock, written)
    assert [(await call(q=q))["n"] for q in (1, 2, 1, 3, 1, 2, 3)] == [1, 2, 1, 3, 4, 5, 6]
    cached.body = b'"' + b"x" * 9700 + b'"'
    await call(q=4)
    cached.body = None
    assert (await call(q=3))["n"] == 8


async def test_mock_has_no_cache(start: Any) -> None:
    call = await start({"x-example": {"a": 1}}, settings={"mock": True}, **{"x-cache": True})
    assert call.consumer.cache is None
    assert await call() == {"a": 1}


@pytest.mark.parametrize(
    ("operation", "options", "messages"),
    [
        (
            {"method": "POST", "x-cache": True},
            {},
            ["'x-cache' is for GET and HEAD; the operation has the method POST, so remove the key"],
        ),
        (
            {"x-cache": True, "body": {"a": 1}},
            {},
            ["'x-cache' is for requests without a body; remove one of the two"],
        ),
        ({"method": "DELETE", "x-cache": False}, {}, []),
        (
            {"method": "POST"},
            {"x-cache": True},
            ["'x-cache' has no effect; no operation has the method GET or HEAD and no body"],
        ),
        (
            {"x-cache": False},
            {"x-cache": {"shared": True}},
            ["'x-cache' has no effect; no operation has the method GET or HEAD and no body"],
        ),
        ({"x-cache": {"staleIfError": -1}}, {}, ["'staleIfError' must be at least 0.0 (given -1)"]),
    ],
)
def test_problems(problems: Any, operation: Any, options: Any, messages: list[str]) -> None:
    found = [problem.message.partition(": ")[2] for problem in problems(operation, **options)]
    assert [message for message in found if "cache" in message or "stale" in message] == messages
