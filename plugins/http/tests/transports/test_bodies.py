"""Large, streamed and compressed bodies, for every transport."""

from __future__ import annotations

import asyncio
import gzip
import socket
import zlib
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from functools import cache
from typing import Any

import pytest

from adapter_host_http.transport.base import IncompleteResponseError, TransportError

from .conftest import OK, Peer, always_respond, let_loop_run

MEBIBYTE = 2**20
BODY = bytes(range(256)) * 4096
BOMB = gzip.compress(b"\0" * (64 * MEBIBYTE), 9)


def plain(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def in_chunks(body: bytes) -> bytes:
    pieces = (body[start : start + 5000] for start in range(0, len(body), 5000))
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def packed(body: bytes) -> bytes:
    body = gzip.compress(body)
    return b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def deflated(body: bytes) -> bytes:
    body = zlib.compress(body)
    return b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def until_closed(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body


FRAMED = pytest.mark.parametrize("framed", [plain, in_chunks, packed, deflated, until_closed])


async def read(response: Any) -> bytes:
    async with aclosing(response.chunks()) as chunks:
        return b"".join([chunk async for chunk in chunks])


@pytest.mark.smoke(uvloop=(plain, until_closed))
@FRAMED
@pytest.mark.parametrize("buffer_limit", [0, 1, 1000, 64 * 1024, len(BODY) - 1])
async def test_body_over_the_buffer_limit_is_streamed(framed: Any, buffer_limit: int, serve: Any, connect: Any) -> None:
    server = await serve(always_respond(framed(BODY), close=framed is until_closed))
    client = await connect(server)
    for _ in range(2):
        response = await client.send(buffer_limit=buffer_limit)
        assert response.body is None
        assert await read(response) == BODY
    await let_loop_run(3)
    assert server.connections == (2 if framed is until_closed else 1)


@pytest.mark.smoke(uvloop=(plain, until_closed))
@FRAMED
@pytest.mark.parametrize("length", [0, 1, 1000, len(BODY)])
async def test_body_at_the_buffer_limit_is_buffered(framed: Any, length: int, serve: Any, connect: Any) -> None:
    client = await connect(await serve(always_respond(framed(BODY[:length]), close=framed is until_closed)))
    assert (await client.send(buffer_limit=length or 1)).body == BODY[:length]


@FRAMED
@pytest.mark.parametrize("buffer_limit", [0, 1000])
async def test_read_with_a_limit(framed: Any, buffer_limit: int, serve: Any, connect: Any) -> None:
    server = await serve(always_respond(framed(BODY), close=framed is until_closed))
    client = await connect(server)
    assert await (await client.send(buffer_limit=buffer_limit)).read(len(BODY)) == BODY
    assert await (await client.send(buffer_limit=buffer_limit)).read(len(BODY) - 1) is None
    assert await (await client.send(buffer_limit=buffer_limit)).read(len(BODY) + 1) == BODY


async def test_response_is_available_after_its_head(serve: Any, connect: Any) -> None:
    go_on = asyncio.Event()

    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        await go_on.wait()
        await peer.send(b"te")
        await go_on.wait()
        await peer.send(b"xt")

    client = await connect(await serve(handle))
    response = await client.send(buffer_limit=0)
    assert response.status == 200
    async with aclosing(response.chunks()) as chunks:
        go_on.set()
        assert await anext(chunks) in (b"te", b"text")


async def test_decoded_body_over_the_limit(serve: Any, connect: Any) -> None:
    response = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB
    client = await connect(await serve(always_respond(response)))
    response = await client.send(buffer_limit=MEBIBYTE)
    assert response.body is None
    assert await response.read(MEBIBYTE) is None
    assert sum(map(len, [chunk async for chunk in (await client.send(buffer_limit=1)).chunks()])) == 64 * MEBIBYTE


async def test_decoded_body_is_streamed_in_pieces(serve: Any, connect: Any) -> None:
    response = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB
    client = await connect(await serve(always_respond(response)))
    async with aclosing((await client.send(buffer_limit=1)).chunks()) as chunks:
        assert max([len(chunk) async for chunk in chunks]) <= MEBIBYTE


async def test_decoding_ends_with_the_deadline(serve: Any, connect: Any) -> None:
    """Members of gzip data take longer than the same amount of data in one."""
    members = gzip.compress(b"  ", mtime=0) * (8 * MEBIBYTE // 22)
    response = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(members) + members
    client = await connect(await serve(always_respond(response)))
    with pytest.raises(TimeoutError):
        await client.send(buffer_limit=16 * MEBIBYTE, seconds=0.3)


@cache
def in_members(size: int) -> tuple[bytes, bytes]:
    """Return a body, and its gzip data with members of `size` bytes of the body."""
    body = bytes(range(256)) * (400 if size < 100 else 4096)
    pieces = [gzip.compress(body[start : start + size], 1, mtime=0) for start in range(0, len(body), size)]
    if size == 1:
        # Members of one byte alone are more than 16 times as long as what they contain.
        pieces = [gzip.compress(body[: len(body) // 2]), *pieces[len(body) // 2 :]]
    return body, b"".join(pieces)


@pytest.mark.parametrize("size", [1, 3, 100, 5000, 200_000])
@pytest.mark.parametrize("buffer_limit", [0, 1000, 8 * MEBIBYTE])
async def test_gzip_in_members_of_any_size(size: int, buffer_limit: int, serve: Any, connect: Any) -> None:
    body, data = in_members(size)
    client = await connect(
        await serve(
            always_respond(
                b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(data) + data
            )
        )
    )
    response = await client.send(buffer_limit=buffer_limit)
    assert (response.body or await read(response)) == body


async def test_passed_through_body_stays_compressed(serve: Any, connect: Any) -> None:
    server = await serve(always_respond(packed(BODY)))
    client = await connect(server)
    response = await client.send(pass_through=True, accept_codings=False, headers={"Accept-Encoding": "br, gzip"})
    assert gzip.decompress(response.body or b"") == BODY
    assert b"Accept-Encoding: br, gzip\r\n" in server.requests[0]


async def test_slow_reader_slows_the_origin(serve: Any, connect: Any) -> None:
    stalled = asyncio.Event()
    limit = 64 * MEBIBYTE
    sent = 0

    async def handle(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        with socket.fromfd(peer.writer.get_extra_info("socket").fileno(), socket.AF_INET, socket.SOCK_STREAM) as raw:
            refused = 0
            while refused < 100 and sent < limit:
                try:
                    sent += raw.send(b"x" * 2**16)
                    refused = 0
                except BlockingIOError:
                    refused += 1
                await let_loop_run(1)
        stalled.set()

    client = await connect(await serve(handle))
    response = await client.send(buffer_limit=1000)
    async with aclosing(response.chunks()) as chunks:
        first = await anext(chunks)
        await stalled.wait()
        assert sent < limit
        assert len(first) + sum([len(chunk) async for chunk in chunks]) == sent


@pytest.mark.parametrize("read", [0, 1, 3])
async def test_closing_a_stream_ends_the_response(read: int, serve: Any, connect: Any) -> None:
    ended = asyncio.Event()

    async def handle(peer: Peer) -> None:
        await peer.request()
        try:
            await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
            while not peer.writer.transport.is_closing():
                await peer.send(b"x" * 2**16)
                await let_loop_run(1)
        finally:
            ended.set()

    client = await connect(await serve(handle))
    response = await client.send(buffer_limit=1000)
    chunks = response.chunks()
    for _ in range(read):
        await anext(chunks)
    await chunks.aclose()
    response.close()
    response.close()
    await asyncio.wait_for(ended.wait(), 10)


@pytest.mark.smoke(uvloop=())
async def test_stream_may_be_long_but_not_stall(serve: Any, connect: Any) -> None:
    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(6):
            await peer.send(b"x")
            # Shorter than the idle timeout, and in total longer than the timeout of the call.
            await asyncio.sleep(0.05)
        await peer.ended()

    client = await connect(await serve(handle), idle_timeout=0.2)
    async with aclosing((await client.send(buffer_limit=0, seconds=0.2)).chunks()) as chunks:
        assert b"".join([await anext(chunks) for _ in range(6)]) == b"x" * 6
        with pytest.raises(TimeoutError):
            await anext(chunks)


@pytest.mark.parametrize("framed", [plain, in_chunks, packed, deflated])
@pytest.mark.parametrize("end", ["closed", "reset"])
async def test_broken_stream_raises(framed: Any, end: str, serve: Any, connect: Any, known_difference: Any) -> None:
    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(framed(BODY)[:3000])
        await let_loop_run(5)
        if end == "reset":
            peer.reset()

    client = await connect(await serve(handle))
    with pytest.raises(IncompleteResponseError):
        await read(await client.send(buffer_limit=0))


async def pieces(*items: bytes) -> AsyncIterator[bytes]:
    for piece in items:
        await let_loop_run(2)
        yield piece


async def receive_chunked(peer: Peer) -> bytes:
    """Return the chunked body of a request."""
    head = await peer.reader.readuntil(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked\r\n" in head
    assert b"content-length" not in head.lower()
    body = b""
    while size := int((await peer.reader.readline()).strip(), 16):
        body += await peer.reader.readexactly(size)
        await peer.reader.readline()
    await peer.reader.readline()
    return body


async def test_chunked_request_body(serve: Any, connect: Any) -> None:
    bodies: list[bytes] = []

    async def handle(peer: Peer) -> None:
        while True:
            bodies.append(await receive_chunked(peer))
            await peer.send(OK)

    server = await serve(handle)
    client = await connect(server)
    assert await client.body("POST", body=pieces(b"a", b"", b"bc", b"d" * 100_000)) == b"ok"
    assert await client.body("PUT", body=pieces()) == b"ok"
    assert bodies == [b"abc" + b"d" * 100_000, b""]
    assert server.connections == 1


async def test_streamed_request_body_with_content_length(serve: Any, connect: Any) -> None:
    server = await serve(always_respond(OK))
    client = await connect(server)
    headers = {"Content-Length": "6"}
    for _ in range(2):
        assert await client.body("POST", headers=headers, body=pieces(b"abc", b"def")) == b"ok"
    assert server.requests[0].endswith(b"\r\n\r\nabcdef")
    assert server.requests[0].lower().count(b"content-length") == 1
    assert b"transfer-encoding" not in server.requests[0].lower()
    assert server.connections == 1


@pytest.mark.parametrize("length", ["5", "7"])
async def test_wrong_content_length_of_a_streamed_body(
    length: str, serve: Any, connect: Any, known_difference: Any
) -> None:
    known_difference("aiohttp", "it sends the body and waits for a response")
    client = await connect(await serve(always_respond(OK)), idle_timeout=0.5)
    with pytest.raises(TransportError):
        await client.send("POST", headers={"Content-Length": length}, body=pieces(b"abc", b"def"), seconds=1)


async def test_errors_of_the_request_body_are_raised(serve: Any, connect: Any) -> None:
    ended = asyncio.Event()

    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise LookupError("gone")

    async def handle(peer: Peer) -> None:
        await peer.ended()
        ended.set()

    client = await connect(await serve(handle))
    with pytest.raises(LookupError, match="gone"):
        await client.send("POST", body=broken())
    await asyncio.wait_for(ended.wait(), 10)


@pytest.mark.smoke(uvloop=())
async def test_slow_request_body_suspends_the_timeout(serve: Any, connect: Any) -> None:
    async def slow() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"a"
            # The caller is slow; in total longer than the timeout of the call.
            await asyncio.sleep(0.1)

    async def handle(peer: Peer) -> None:
        while True:
            await receive_chunked(peer)
            await peer.send(OK)

    client = await connect(await serve(handle), idle_timeout=0.2)
    assert await client.body("POST", body=slow(), seconds=0.2) == b"ok"


async def test_origin_that_stops_reading_times_out(serve: Any, connect: Any) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * MEBIBYTE

    async def handle(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    client = await connect(await serve(handle), idle_timeout=0.2)
    with pytest.raises(TimeoutError):
        await client.send("POST", body=endless(), seconds=0.2)
    assert sent < 64


async def test_early_response_ends_a_streamed_request(serve: Any, connect: Any) -> None:
    upload_ended = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
                await let_loop_run(1)
        finally:
            upload_ended.set()

    async def handle(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(OK)
        with suppress(ConnectionError):
            await peer.ended()

    server = await serve(handle)
    client = await connect(server)
    assert await client.body("POST", body=endless()) == b"ok"
    await asyncio.wait_for(upload_ended.wait(), 10)
    assert await client.body("GET") == b"ok"
    assert server.connections == 2


async def test_bidirectional_streaming(serve: Any, connect: Any) -> None:
    async def echo(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while line := await peer.reader.readline():
            await peer.send(line)
            await peer.send(await peer.reader.readexactly(int(line, 16) + 2))
            if line == b"0\r\n":
                return

    messages: asyncio.Queue[bytes] = asyncio.Queue()

    async def talk() -> AsyncIterator[bytes]:
        while piece := await messages.get():
            yield piece

    client = await connect(await serve(echo))
    messages.put_nowait(b"a")
    response = await client.send("POST", body=talk(), buffer_limit=0)
    async with aclosing(response.chunks()) as chunks:
        assert await anext(chunks) == b"a"
        messages.put_nowait(b"b")
        assert await anext(chunks) == b"b"
        messages.put_nowait(b"")
        assert [chunk async for chunk in chunks] == []


@pytest.mark.smoke(uvloop=())
async def test_long_response_while_the_request_is_open(serve: Any, connect: Any) -> None:
    over = asyncio.Event()

    async def open_ended() -> AsyncIterator[bytes]:
        yield b"a"
        await over.wait()

    async def handle(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
        for _ in range(8):
            # The origin is slow; in total longer than the timeout of the call.
            await asyncio.sleep(0.05)
            await peer.send(b"x")
        await peer.ended()

    client = await connect(await serve(handle), idle_timeout=0.3)
    response = await client.send("POST", body=open_ended(), buffer_limit=0, seconds=0.3)
    assert await read(response) == b"x" * 8
    over.set()
