"""Forwarding, on the wire: bodies in pieces, limits, failures, draining, and what plugins put around calls."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.support.forward_gateway import forwarding
from tests.support.upstream import send_raw


async def test_a_body_goes_on_piece_by_piece() -> None:
    arrived, given = asyncio.Event(), asyncio.Event()
    pieces: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        async for piece in request.content.iter_any():
            pieces.append(piece)
            arrived.set()
        return web.Response(text="all of it")

    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        await arrived.wait()
        given.set()
        yield b"two"

    async with forwarding() as limiter:
        limiter.api.stream = take
        answer = await limiter("POST", "/a", data=body())
        assert limiter.api.last.headers["Transfer-Encoding"] == "chunked"
    # The second piece was sent only when the first had arrived.
    assert (answer.body, b"".join(pieces), given.is_set()) == (b"all of it", b"onetwo", True)


async def test_an_answer_comes_back_piece_by_piece() -> None:
    arrived = asyncio.Event()

    async def give(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=503)
        await response.prepare(request)
        await response.write(b"one")
        await arrived.wait()
        await response.write(b"two")
        return response

    async with forwarding() as limiter:
        limiter.api.reply = give
        async with limiter.session.get(f"{limiter.url}/a") as response:
            assert (response.status, await response.content.readany()) == (503, b"one")
            arrived.set()
            assert await response.content.read() == b"two"


async def test_an_api_may_answer_before_it_has_read_everything() -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=422, text="no")

    answered = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        await answered.wait()
        yield b"two"

    async with forwarding() as limiter:
        limiter.api.stream = refuse
        async with limiter.session.post(f"{limiter.url}/a", data=body()) as response:
            assert (response.status, await response.read()) == (422, b"no")
            answered.set()


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_limit_is_refused(chunked: bool) -> None:
    whole: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        whole.append(await request.read())
        return web.Response()

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 300

    async with forwarding(settings={"body_limit": 1000}) as limiter:
        limiter.api.stream = take
        answer = await limiter("POST", "/a", data=pieces() if chunked else b"x" * 1500)
        assert (answer.status, answer.data["detail"]) == (413, "the body must be at most 1000 bytes")
        assert (await limiter("POST", "/a", data=b"x" * 1000)).status == 200
    assert whole == [b"x" * 1000]


async def test_what_unpacks_beyond_the_limit_is_refused() -> None:
    async with forwarding(settings={"body_limit": 1000}) as limiter:
        answer = await limiter("POST", "/a", data=gzip.compress(b"x" * 100_000), headers={"Content-Encoding": "gzip"})
        assert answer.status == 413


async def test_a_body_that_breaks_off_is_the_callers_mistake(caplog: pytest.LogCaptureFixture) -> None:
    async with forwarding() as limiter:
        request = b"POST /a HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
        assert b" 400 " in (await send_raw(limiter.url, request)).partition(b"\r\n")[0]
    assert "upstream" not in caplog.text


async def test_a_caller_that_takes_its_time_is_not_the_apis_failure() -> None:
    async with forwarding(settings={"total_timeout": 0.2}) as limiter:

        async def body() -> AsyncIterator[bytes]:
            yield b"one"
            await asyncio.Event().wait()

        answer = await limiter("POST", "/a", data=body())
        assert (answer.status, answer.data["title"]) == (408, "Request timeout")


async def test_an_api_that_does_not_answer() -> None:
    async with forwarding(settings={"total_timeout": 0.1}) as limiter:

        async def never(_: web.Request) -> web.Response:
            await asyncio.Event().wait()
            raise AssertionError

        limiter.api.reply = never
        answers = [await limiter("GET", "/a"), await limiter("POST", "/a", data=b"x")]
    assert [(answer.status, answer.data["title"]) for answer in answers] == [(504, "Upstream timeout")] * 2


async def test_an_api_that_is_not_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        consumer = {"baseUri": f"http://127.0.0.1:{taken.getsockname()[1]}"}
        async with forwarding(consumer=consumer) as limiter:
            answers = [await limiter("GET", "/a"), await limiter("POST", "/a", data=b"x")]
    assert [(answer.status, answer.data["title"]) for answer in answers] == [(502, "Upstream unreachable")] * 2


async def test_an_answer_that_breaks_off_breaks_off() -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    async with forwarding() as limiter:
        limiter.api.reply = cut
        with pytest.raises(aiohttp.ClientError):
            await limiter("GET", "/a")


def holding(release: asyncio.Event) -> Any:
    """A reply that begins at once and ends when it is let go."""

    async def hold(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one")
        await release.wait()
        await response.write(b"two")
        return response

    return hold


async def test_draining_waits_for_what_is_forwarded_and_takes_nothing_new() -> None:
    release = asyncio.Event()
    async with forwarding() as limiter:
        limiter.api.reply = holding(release)
        async with (
            aiohttp.ClientSession() as waiting,
            waiting.get(f"{limiter.url}/warm") as warm,
            limiter.session.get(f"{limiter.url}/a") as response,
        ):
            assert await response.content.readany() == b"one"
            release.set()
            assert await warm.read() == b"onetwo"
            release.clear()
            limiter.api.reply = holding(release)
            async with limiter.session.get(f"{limiter.url}/b") as held:
                assert await held.content.readany() == b"one"
                draining = asyncio.create_task(limiter.host.drain())
                async with waiting.get(f"{limiter.url}/c") as refused:
                    assert refused.status == 503
                assert not draining.done()
                release.set()
                assert await held.content.read() == b"two"
            await draining


async def test_calls_in_progress_are_bounded() -> None:
    release = asyncio.Event()
    async with forwarding(settings={"call_limit": 1}) as limiter:
        limiter.api.reply = holding(release)
        async with limiter.session.get(f"{limiter.url}/a") as held:
            assert await held.content.readany() == b"one"
            answer = await limiter("GET", "/b")
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            release.set()
            await held.read()
        assert (await limiter("GET", "/c")).status == 200


async def test_a_caller_that_leaves_lets_the_api_go() -> None:
    gone = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
        except (ConnectionError, asyncio.CancelledError):
            gone.set()
            raise

    async with forwarding() as limiter:
        limiter.api.reply = endless
        async with limiter.session.get(f"{limiter.url}/a") as response:
            await response.content.readany()
            response.close()
        await gone.wait()
        await limiter.host.drain()


async def test_the_breaker_counts_what_is_forwarded() -> None:
    async def failing(_: web.Request) -> web.Response:
        return web.Response(status=503, text="down", headers={"X-Own": "1"})

    resilience = {"x-resilience": {"breaker": {"failures": 2}}}
    async with forwarding(consumer=resilience) as limiter:
        limiter.api.reply = failing
        answers = [await limiter("GET", "/a") for _ in range(3)]
        assert len(limiter.api.seen) == 2
    assert [(answer.status, answer.headers.get("X-Own")) for answer in answers] == [(503, "1"), (503, "1"), (503, None)]
    assert "left alone" in answers[2].data["detail"]


async def test_what_callers_do_wrong_does_not_open_the_breaker() -> None:
    resilience = {"x-resilience": {"breaker": {"failures": 1}, "retry": {}}}
    async with forwarding(consumer=resilience, settings={"body_limit": 10}) as limiter:

        async def pieces() -> AsyncIterator[bytes]:
            yield b"x" * 20

        assert (await limiter("POST", "/a", data=pieces())).status == 413
        assert (await limiter("GET", "/%2e%2e")).status == 400
        assert (await limiter("GET", "/a")).status == 200


async def test_limits_and_a_deadline_of_its_own() -> None:
    release = asyncio.Event()
    own = {"x-resilience": {"concurrency": {"calls": 1, "wait": 0, "queue": 0}, "deadline": 0.2}}
    async with forwarding(forward=own) as limiter:
        limiter.api.reply = holding(release)
        async with limiter.session.get(f"{limiter.url}/a") as held:
            assert await held.content.readany() == b"one"
            assert (await limiter("GET", "/b")).status == 503
            release.set()
            await held.read()

        async def never(_: web.Request) -> web.Response:
            await asyncio.Event().wait()
            raise AssertionError

        limiter.api.reply = never
        assert (await limiter("GET", "/c")).status == 504


async def test_a_digest_api_gets_the_body_once_it_is_proven() -> None:
    digest = {"type": "digest", "username": "us", "password": "secret"}

    async def challenge(request: web.Request) -> web.Response:
        if "Authorization" in request.headers:
            return web.Response(text="in")
        asked = 'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"'
        return web.Response(status=401, headers={"WWW-Authenticate": asked})

    async with forwarding(consumer={"authentication": digest}) as limiter:
        limiter.api.reply = challenge
        assert (await limiter("POST", "/a?b=1", data=b"body")).body == b"in"
        seen = limiter.api.last
    assert (seen.body, seen.headers["Authorization"][:6]) == (b"body", "Digest")
    assert 'uri="/a?b=1"' in seen.headers["Authorization"]
