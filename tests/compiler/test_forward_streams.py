"""Forward: streamed bodies, limits, failures, draining and wrappers of plugins."""

from __future__ import annotations

import asyncio
import gzip
import os
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.support.forward_gateway import forwarding
from tests.support.upstream import send_raw


async def test_request_body_is_streamed() -> None:
    first_arrived, second_sent = asyncio.Event(), asyncio.Event()
    pieces: list[bytes] = []

    async def read_body(request: web.Request) -> web.Response:
        async for piece in request.content.iter_any():
            pieces.append(piece)
            first_arrived.set()
        return web.Response(text="all of it")

    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        await first_arrived.wait()
        second_sent.set()
        yield b"two"

    async with forwarding() as gateway:
        gateway.api.stream = read_body
        response = await gateway("POST", "/a", data=body())
        assert gateway.api.last.headers["Transfer-Encoding"] == "chunked"
    # The second chunk was sent only after the first had arrived.
    assert (response.body, b"".join(pieces), second_sent.is_set()) == (b"all of it", b"onetwo", True)


async def test_response_body_is_streamed() -> None:
    arrived = asyncio.Event()

    async def stream_response(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=503)
        await response.prepare(request)
        await response.write(b"one")
        await arrived.wait()
        await response.write(b"two")
        return response

    async with forwarding() as gateway:
        gateway.api.reply = stream_response
        async with gateway.session.get(f"{gateway.url}/a") as response:
            assert (response.status, await response.content.readany()) == (503, b"one")
            arrived.set()
            assert await response.content.read() == b"two"


async def test_upstream_may_respond_before_reading_the_body() -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=422, text="no")

    responded = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        await responded.wait()
        yield b"two"

    async with forwarding() as gateway:
        gateway.api.stream = refuse
        async with gateway.session.post(f"{gateway.url}/a", data=body()) as response:
            assert (response.status, await response.read()) == (422, b"no")
            responded.set()


@pytest.mark.parametrize("chunked", [False, True])
async def test_request_body_over_the_limit_is_rejected(chunked: bool) -> None:
    whole: list[bytes] = []

    async def read_body(request: web.Request) -> web.Response:
        whole.append(await request.read())
        return web.Response()

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 300

    async with forwarding(settings={"body_limit": 1000}) as gateway:
        gateway.api.stream = read_body
        response = await gateway("POST", "/a", data=pieces() if chunked else b"x" * 1500)
        assert (response.status, response.data["detail"]) == (413, "the body must be at most 1000 bytes")
        assert (await gateway("POST", "/a", data=b"x" * 1000)).status == 200
    assert whole == [b"x" * 1000]


async def test_limit_of_an_encoded_body_is_that_of_the_bytes_sent() -> None:
    async with forwarding(settings={"body_limit": 1000}) as gateway:
        for body, status in ((gzip.compress(b"x" * 100_000), 200), (gzip.compress(os.urandom(1000)), 413)):
            response = await gateway("POST", "/a", data=body, headers={"Content-Encoding": "gzip"})
            assert response.status == status


async def test_aborted_request_body_is_a_client_error(caplog: pytest.LogCaptureFixture) -> None:
    async with forwarding() as gateway:
        request = b"POST /a HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
        assert b" 400 " in (await send_raw(gateway.url, request)).partition(b"\r\n")[0]
    assert "upstream" not in caplog.text


async def test_slow_client_is_not_an_upstream_failure() -> None:
    async with forwarding(settings={"total_timeout": 0.2}) as gateway:

        async def body() -> AsyncIterator[bytes]:
            yield b"one"
            await asyncio.Event().wait()

        response = await gateway("POST", "/a", data=body())
        assert (response.status, response.data["title"]) == (408, "Request timeout")


async def test_upstream_timeout() -> None:
    async with forwarding(settings={"total_timeout": 0.1}) as gateway:

        async def never(_: web.Request) -> web.Response:
            await asyncio.Event().wait()
            raise AssertionError

        gateway.api.reply = never
        responses = [await gateway("GET", "/a"), await gateway("POST", "/a", data=b"x")]
    assert [(response.status, response.data["title"]) for response in responses] == [(504, "Upstream timeout")] * 2


async def test_unreachable_upstream() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        consumer = {"baseUri": f"http://127.0.0.1:{taken.getsockname()[1]}"}
        async with forwarding(consumer=consumer) as gateway:
            responses = [await gateway("GET", "/a"), await gateway("POST", "/a", data=b"x")]
    assert [(response.status, response.data["title"]) for response in responses] == [(502, "Upstream unreachable")] * 2


async def test_aborted_response_is_aborted_for_the_client() -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    async with forwarding() as gateway:
        gateway.api.reply = cut
        with pytest.raises(aiohttp.ClientError):
            await gateway("GET", "/a")


def holding(release: asyncio.Event) -> Any:
    """Return a handler that sends the first chunk at once and the second after `release`."""

    async def hold(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one")
        await release.wait()
        await response.write(b"two")
        return response

    return hold


async def test_drain_waits_for_forwarded_requests_and_rejects_new_ones() -> None:
    release = asyncio.Event()
    async with forwarding() as gateway:
        gateway.api.reply = holding(release)
        async with (
            aiohttp.ClientSession() as waiting,
            waiting.get(f"{gateway.url}/warm") as warm,
            gateway.session.get(f"{gateway.url}/a") as response,
        ):
            assert await response.content.readany() == b"one"
            release.set()
            assert await warm.read() == b"onetwo"
            release.clear()
            gateway.api.reply = holding(release)
            async with gateway.session.get(f"{gateway.url}/b") as in_flight:
                assert await in_flight.content.readany() == b"one"
                draining = asyncio.create_task(gateway.host.drain())
                while not gateway.host.draining:  # noqa: ASYNC110 (a host has no event for it)
                    await asyncio.sleep(0)
                async with waiting.get(f"{gateway.url}/c") as refused:
                    assert refused.status == 503
                assert not draining.done()
                release.set()
                assert await in_flight.content.read() == b"two"
            await draining


async def test_call_limit_applies_to_forwarded_requests() -> None:
    release = asyncio.Event()
    async with forwarding(settings={"call_limit": 1}) as gateway:
        gateway.api.reply = holding(release)
        async with gateway.session.get(f"{gateway.url}/a") as in_flight:
            assert await in_flight.content.readany() == b"one"
            response = await gateway("GET", "/b")
            assert (response.status, response.headers["Retry-After"]) == (503, "1")
            release.set()
            await in_flight.read()
        assert (await gateway("GET", "/c")).status == 200


async def test_client_disconnect_cancels_the_upstream_call() -> None:
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

    async with forwarding() as gateway:
        gateway.api.reply = endless
        async with gateway.session.get(f"{gateway.url}/a") as response:
            await response.content.readany()
            response.close()
        await gone.wait()
        await gateway.host.drain()


async def test_circuit_breaker_counts_forwarded_requests() -> None:
    async def failing(_: web.Request) -> web.Response:
        return web.Response(status=503, text="down", headers={"X-Own": "1"})

    resilience = {"x-resilience": {"breaker": {"failures": 2}}}
    async with forwarding(consumer=resilience) as gateway:
        gateway.api.reply = failing
        responses = [await gateway("GET", "/a") for _ in range(3)]
        assert len(gateway.api.seen) == 2
    assert [(response.status, response.headers.get("X-Own")) for response in responses] == [
        (503, "1"),
        (503, "1"),
        (503, None),
    ]
    assert "circuit breaker open" in responses[2].data["detail"]


async def test_client_errors_do_not_open_the_circuit_breaker() -> None:
    resilience = {"x-resilience": {"breaker": {"failures": 1}, "retry": {}}}
    async with forwarding(consumer=resilience, settings={"body_limit": 10}) as gateway:

        async def pieces() -> AsyncIterator[bytes]:
            yield b"x" * 20

        assert (await gateway("POST", "/a", data=pieces())).status == 413
        assert (await gateway("GET", "/%2e%2e")).status == 400
        assert (await gateway("GET", "/a")).status == 200


async def test_forward_has_its_own_limits_and_deadline() -> None:
    release = asyncio.Event()
    own = {"x-resilience": {"concurrency": {"calls": 1, "wait": 0, "queue": 0}, "deadline": 0.2}}
    async with forwarding(forward=own) as gateway:
        gateway.api.reply = holding(release)
        async with gateway.session.get(f"{gateway.url}/a") as response:
            assert await response.content.readany() == b"one"
            assert (await gateway("GET", "/b")).status == 503
            release.set()
            await response.read()

        async def never(_: web.Request) -> web.Response:
            await asyncio.Event().wait()
            raise AssertionError

        gateway.api.reply = never
        assert (await gateway("GET", "/c")).status == 504


async def test_body_is_sent_after_the_digest_challenge() -> None:
    digest = {"type": "digest", "username": "us", "password": "secret"}

    async def challenge(request: web.Request) -> web.Response:
        if "Authorization" in request.headers:
            return web.Response(text="in")
        challenge = 'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"'
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})

    async with forwarding(consumer={"authentication": digest}) as gateway:
        gateway.api.reply = challenge
        assert (await gateway("POST", "/a?b=1", data=b"body")).body == b"in"
        seen = gateway.api.last
    assert (seen.body, seen.headers["Authorization"][:6]) == (b"body", "Digest")
    assert 'uri="/a?b=1"' in seen.headers["Authorization"]
