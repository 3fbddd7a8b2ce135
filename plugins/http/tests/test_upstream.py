"""Responses and errors of an upstream."""

from __future__ import annotations

import asyncio
import gzip
import logging
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from aiohttp import web

from adapter_host import (
    UpstreamDisconnectedError,
    UpstreamError,
    UpstreamIncompleteError,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)


@pytest.fixture(params=["native", "aiohttp"])
def start(start: Any, request: pytest.FixtureRequest) -> Any:
    """Return a function that starts a host whose consumer sends over each transport in turn."""
    return partial(start, **{"x-transport": request.param})


def responding(**response: Any) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def reply(_: web.Request) -> web.Response:
        return web.Response(**response)

    return reply


async def test_response(start: Any, api: Any) -> None:
    headers = {"X-Rate": "5"}
    api.reply = responding(status=201, body=b'{"a": 1}', content_type="application/problem+json", headers=headers)
    call = await start()
    result = await call.operation.call({})
    assert (result.status, result.media_type) == (201, "application/problem+json")
    assert (result.body, result.data, result.headers["x-rate"]) == (b'{"a": 1}', {"a": 1}, "5")


@pytest.mark.parametrize("status", [200, 204])
async def test_empty_response(start: Any, api: Any, status: int) -> None:
    api.reply = responding(status=status)
    result = await (await start()).operation.call({})
    assert (result.status, result.body, result.data) == (status, b"", None)


async def test_head_has_no_body(start: Any, api: Any) -> None:
    api.reply = responding(body=b"x" * 100)
    result = await (await start({"method": "HEAD"}, settings={"response_limit": 10})).operation.call({})
    assert (result.status, result.body) == (200, b"")


async def test_json_with_a_text_media_type_is_accepted(start: Any, api: Any) -> None:
    api.reply = responding(body=b"[1]", content_type="text/plain")
    assert await (await start())() == [1]


@pytest.mark.parametrize("body", [b"<html>", b"{", b"NaN", b'{"a": Infinity}', b'"\xff"'])
@pytest.mark.parametrize("media_type", ["text/html", "application/json"])
async def test_invalid_json_is_rejected(start: Any, api: Any, body: bytes, media_type: str) -> None:
    api.reply = responding(body=body, content_type=media_type)
    call = await start()
    with pytest.raises(UpstreamInvalidError, match=f"'api' is not JSON .received {media_type}"):
        await call()


async def test_binary_response_is_unchanged(start: Any, api: Any) -> None:
    api.reply = responding(body=b"\x00\xff", content_type="video/mp4")
    call = await start({"outputRawFormat": "binary"})
    result = await call.operation.call({})
    assert (result.body, result.data, result.media_type) == (b"\x00\xff", "AP8=", "video/mp4")
    assert api.last.headers["Accept"] == "*/*"


@pytest.mark.parametrize("status", [300, 304, 400, 404, 429, 500, 503])
async def test_error_response_is_kept(start: Any, api: Any, status: int) -> None:
    body = b"" if status == 304 else b"no <b>such</b> thing"
    api.reply = responding(status=status, body=body, headers={"Retry-After": "3", "Content-Type": "text/html"})
    with pytest.raises(UpstreamStatusError) as caught:
        await (await start())()
    assert (caught.value.upstream_status, caught.value.body) == (status, body)
    assert (caught.value.media_type, caught.value.headers["retry-after"]) == ("text/html", "3")


def chunked(total: int, *, status: int = 200, compressed: bool = False) -> Any:
    async def reply(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        response.enable_chunked_encoding()
        if compressed:
            response.headers["Content-Encoding"] = "gzip"
        await response.prepare(request)
        await response.write(gzip.compress(b"0" * total) if compressed else b"0" * total)
        await response.write_eof()
        return response

    return reply


@pytest.mark.parametrize("reply", [responding(body=b"0" * 101), chunked(101), chunked(100_000, compressed=True)])
async def test_response_over_the_limit_is_rejected(start: Any, api: Any, reply: Any) -> None:
    api.reply = reply
    call = await start(settings={"response_limit": 100})
    with pytest.raises(UpstreamInvalidError, match="larger than 100 bytes"):
        await call()


@pytest.mark.parametrize("reply", [responding(body=b"0" * 101, status=500), chunked(101, status=500)])
async def test_error_response_over_the_limit_keeps_its_status(start: Any, api: Any, reply: Any) -> None:
    api.reply = reply
    call = await start(settings={"response_limit": 100})
    with pytest.raises(UpstreamStatusError) as caught:
        await call()
    assert (caught.value.upstream_status, caught.value.body) == (500, b"")


@pytest.mark.parametrize("reply", [responding(body=b"[" + b" " * 99 + b"]"), responding(body=b"1" * 100)])
async def test_response_at_the_limit_is_accepted(start: Any, api: Any, reply: Any) -> None:
    api.reply = reply
    call = await start({"outputRawFormat": "binary"}, settings={"response_limit": 101})
    assert len(await call()) >= 100


@pytest.mark.parametrize(
    "reply", [responding(body=b"0" * 200_000), chunked(200_000), chunked(200_000, compressed=True)]
)
async def test_large_response_is_streamed_on_request(start: Any, api: Any, reply: Any) -> None:
    api.reply = reply
    call = await start(settings={"response_limit": 100})
    result = await call.operation.call({}, stream=True)
    assert b"".join([chunk async for chunk in result.stream]) == b"0" * 200_000


@pytest.mark.parametrize("reply", [responding(body=b"1" * 10), chunked(1)])
async def test_small_response_is_never_streamed(start: Any, api: Any, reply: Any) -> None:
    api.reply = reply
    result = await (await start()).operation.call({}, stream=True)
    assert result.stream is None
    assert result.data in (0, 1111111111)


def endless(released: asyncio.Event) -> Any:
    async def reply(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            await response.write(b"0" * 100_000)
            while True:
                await response.write(b"0" * 100_000)
        finally:
            released.set()

    return reply


@pytest.mark.parametrize("read", [0, 1, 3])
async def test_closing_a_stream_ends_the_response(start: Any, api: Any, read: int) -> None:
    released = asyncio.Event()
    api.reply = endless(released)
    result = await (await start()).operation.call({}, stream=True)
    for _ in range(read):
        await anext(result.stream)
    await result.stream.aclose()
    await asyncio.wait_for(released.wait(), 5)


async def test_broken_stream_raises(start: Any, api: Any) -> None:
    async def reply(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "200000"})
        await response.prepare(request)
        await response.write(b"0" * 100_000)
        assert request.transport is not None
        request.transport.close()
        return response

    api.reply = reply
    result = await (await start()).operation.call({}, stream=True)
    with pytest.raises(UpstreamIncompleteError, match=r"^the response of the upstream 'api' was cut off; ") as caught:
        async for _ in result.stream:
            pass
    assert caught.value.sent


async def never_respond(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def never_finish_body(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "10"})
    await response.prepare(request)
    await response.write(b"1")
    return await never_respond(request)


@pytest.mark.parametrize("reply", [never_respond, never_finish_body])
@pytest.mark.parametrize("options", [{"settings": {"total_timeout": 0.05}}, {"x-timeout": {"total": 0.05}}])
async def test_response_timeout(start: Any, api: Any, reply: Any, options: Any) -> None:
    api.reply = reply
    call = await start(**options)
    with pytest.raises(
        UpstreamTimeoutError, match=r"^the upstream 'api' did not respond within 0\.05 s; the request was sent$"
    ) as caught:
        await call()
    assert caught.value.sent
    await asyncio.wait_for(api.closed.wait(), 5)


async def test_connect_timeout(start: Any) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        base = "http://{}:{}".format(*listener.getsockname())
        call = await start(baseUri=base, **{"x-timeout": {"connect": 0.05}})
        message = "the upstream 'api' did not accept a connection within 0.05 s; the request was not sent"
        with pytest.raises(UpstreamTimeoutError, match=f"^{re.escape(message)}$") as caught:
            await call()
        assert caught.value.sent is False
        for client in waiting:
            client.close()


async def test_stream_may_be_long_but_not_stall(start: Any, api: Any) -> None:
    async def reply(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"0" * 100_000)
        return await never_respond(request)

    api.reply = reply
    call = await start(settings={"total_timeout": 0.1})
    result = await call.operation.call({}, stream=True)
    with pytest.raises(UpstreamTimeoutError):
        async for _ in result.stream:
            pass


async def test_cancelled_call_closes_its_request(start: Any, api: Any) -> None:
    arrived = asyncio.Event()

    async def reply(request: web.Request) -> web.StreamResponse:
        arrived.set()
        return await never_respond(request)

    api.reply = reply
    call = await start()
    task = asyncio.create_task(call())
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(api.closed.wait(), 5)


async def test_connection_refused(start: Any, caplog: pytest.LogCaptureFixture) -> None:
    call = await start({"inputParameters": [{"name": "q", "in": "query"}]}, baseUri="http://127.0.0.1:9")
    with pytest.raises(
        UpstreamUnreachableError, match=r"^the upstream 'api' cannot be reached; the request was not sent$"
    ) as caught:
        await call(q="private")
    assert caught.value.sent is False
    (record,) = [record for record in caplog.records if record.name == "adapter_host.http"]
    assert record.levelno == logging.WARNING
    assert "127.0.0.1:9" in record.getMessage()
    assert "private" not in record.getMessage()


@asynccontextmanager
async def raw_server(handle: Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[str]:
    """Yield a server that passes each request of a connection to `handle`."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while True:
                await handle(await reader.readuntil(b"\r\n\r\n"), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        try:
            yield f"http://{host}:{port}"
        finally:
            # Python 3.12 and newer wait for every connection, also for one that the client keeps for later.
            for writer in writers:
                writer.close()


async def test_non_http_response_is_rejected(start: Any) -> None:
    async def handle(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")

    async with raw_server(handle) as url:
        call = await start(baseUri=url)
        with pytest.raises(UpstreamInvalidError, match="the upstream 'api' did not respond in HTTP"):
            await call()


@pytest.mark.parametrize(("method", "calls"), [("GET", 3), ("POST", 2)])
async def test_stale_connection_is_replaced_for_idempotent_methods(start: Any, method: str, calls: int) -> None:
    seen: list[bytes] = []

    async def handle(request: bytes, writer: asyncio.StreamWriter) -> None:
        seen.append(request)
        if len(seen) == 2:
            writer.close()
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")

    async with raw_server(handle) as url:
        call = await start({"method": method}, baseUri=url)
        await call()
        if method == "GET":
            assert await call() == {}
        else:
            with pytest.raises(UpstreamDisconnectedError):
                await call()
    assert len(seen) == calls


@pytest.mark.parametrize(
    ("response", "error", "message"),
    [
        (b"", UpstreamDisconnectedError, "the upstream 'api' closed the connection before its response"),
        (b"HTTP/1.1 200 O", UpstreamDisconnectedError, "the upstream 'api' closed the connection before its response"),
        (
            b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{}",
            UpstreamIncompleteError,
            "the response of the upstream 'api' was cut off",
        ),
    ],
)
async def test_connection_that_ends_after_the_request(
    start: Any, response: bytes, error: type[UpstreamError], message: str
) -> None:
    async def handle(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(response)
        writer.close()

    async with raw_server(handle) as url:
        call = await start({"method": "POST"}, baseUri=url)
        with pytest.raises(error, match=f"^{message}; the request was sent$") as caught:
            await call()
    assert caught.value.sent


async def test_proxy_that_opens_no_tunnel(start: Any, api: Any) -> None:
    # The API knows no CONNECT.
    environment = {"https_proxy": api.url}
    call = await start({"method": "POST"}, baseUri="https://api.invalid/v1", settings={"environment": environment})
    reason = f"through the proxy '{api.url}' (the proxy responded with status 404); the request was not sent"
    with pytest.raises(UpstreamUnreachableError, match=f"cannot be reached {re.escape(reason)}$"):
        await call()


def redirecting(location: str, status: int = 302) -> Any:
    async def reply(request: web.Request) -> web.Response:
        if request.path == "/there":
            return web.json_response({"there": True})
        return web.Response(status=status, headers={"Location": location})

    return reply


AUTHENTICATED = {"authentication": {"type": "bearer", "token": "{{TOKEN}}"}, "secrets": {"TOKEN": "t"}}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("absolute", [True, False])
async def test_redirect_within_the_origin_is_followed(start: Any, api: Any, status: int, absolute: bool) -> None:
    api.reply = redirecting(f"{api.url if absolute else ''}/there?x=%2F#part", status)
    call = await start(**AUTHENTICATED)
    assert await call() == {"there": True}
    assert api.last.target == "/there?x=%2F"
    assert api.last.headers["Authorization"] == "Bearer t"


@pytest.mark.parametrize(
    "location", ["{other}/there", "//{host}.example/there", "ftp://x/", "http://u:p@{host}/there", "http://[", ""]
)
async def test_other_redirects_are_errors_with_location(start: Any, api: Any, location: str) -> None:
    host = api.url.removeprefix("http://")
    location = location.format(other=api.url.replace("127.0.0.1", "localhost"), host=host)
    api.reply = redirecting(location)
    call = await start(**AUTHENTICATED)
    with pytest.raises(UpstreamStatusError) as caught:
        await call()
    assert (caught.value.upstream_status, caught.value.headers["Location"]) == (302, location)
    assert len(api.requests) == 1


async def test_location_is_percent_encoded(start: Any, api: Any) -> None:
    api.reply = redirecting("/there?q=a b")
    await (await start())()
    assert api.last.target == "/there?q=a+b"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_redirects_are_followed_for_safe_methods_only(start: Any, api: Any, method: str) -> None:
    api.reply = redirecting("/there")
    with pytest.raises(UpstreamStatusError):
        await (await start({"method": method}))()
    assert len(api.requests) == 1


async def test_redirect_loop_ends(start: Any, api: Any) -> None:
    api.reply = redirecting("/again")
    with pytest.raises(UpstreamStatusError):
        await (await start())()
    assert len(api.requests) == 6


async def test_cookies_are_not_stored(start: Any, api: Any) -> None:
    api.reply = responding(body=b"{}", headers={"Set-Cookie": "session=1; Path=/"})
    call = await start()
    await call()
    await call()
    assert "Cookie" not in api.last.headers


async def test_compressed_response_is_decoded(start: Any, api: Any) -> None:
    body = gzip.compress(b'{"a": 1}')
    api.reply = responding(body=body, content_type="application/json", headers={"Content-Encoding": "gzip"})
    assert await (await start())() == {"a": 1}


@pytest.mark.parametrize(
    ("environment", "proxied"),
    [
        ({"http_proxy": "{api}"}, True),
        ({"HTTP_PROXY": "{api}"}, True),
        ({"http_proxy": "{api}", "no_proxy": "localhost, .invalid"}, False),
        ({"http_proxy": "{api}", "NO_PROXY": "*"}, False),
        ({"https_proxy": "{api}"}, False),
    ],
)
async def test_proxies_of_the_environment(start: Any, api: Any, environment: dict[str, str], proxied: bool) -> None:
    environment = {name: value.format(api=api.url) for name, value in environment.items()}
    call = await start(baseUri="http://api.invalid/v1", settings={"environment": environment})
    if proxied:
        assert await call() == {"ok": True}
        assert api.last.headers["Host"] == "api.invalid"
    else:
        with pytest.raises(UpstreamUnreachableError):
            await call()


def test_earlier_name_of_the_native_transport(problems: Any) -> None:
    assert problems(**{"x-transport": "lean"}) == []


def test_unknown_transport(problems: Any) -> None:
    (problem,) = problems(**{"x-transport": "fast"})
    assert problem.message.endswith("'x-transport' must be one of 'native' or 'aiohttp' (given 'fast')")
