"""Bodies that are large, that come and go as streams, or that unpack to more than they are; for every transport."""

from __future__ import annotations

import asyncio
import gzip
import socket
import zlib
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from typing import Any

import pytest

from adapter_host_http.transport.base import MalformedResponseError, TransportError

from .conftest import OK, Peer, always, turns

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


async def read(answer: Any) -> bytes:
    async with aclosing(answer.chunks()) as chunks:
        return b"".join([chunk async for chunk in chunks])


@FRAMED
@pytest.mark.parametrize("buffer_limit", [0, 1, 1000, 64 * 1024, len(BODY) - 1])
async def test_a_body_that_is_not_held_is_streamed(framed: Any, buffer_limit: int, serve: Any, client: Any) -> None:
    server = await serve(always(framed(BODY), close=framed is until_closed))
    to = await client(server)
    for _ in range(2):
        answer = await to.send(buffer_limit=buffer_limit)
        assert answer.body is None
        assert await read(answer) == BODY
    await turns(3)
    assert server.connections == (2 if framed is until_closed else 1)


@FRAMED
@pytest.mark.parametrize("length", [0, 1, 1000, len(BODY)])
async def test_a_body_as_large_as_is_held_is_held(framed: Any, length: int, serve: Any, client: Any) -> None:
    to = await client(await serve(always(framed(BODY[:length]), close=framed is until_closed)))
    assert (await to.send(buffer_limit=length or 1)).body == BODY[:length]


@FRAMED
@pytest.mark.parametrize("buffer_limit", [0, 1000])
async def test_the_rest_is_taken_up_to_a_limit(framed: Any, buffer_limit: int, serve: Any, client: Any) -> None:
    server = await serve(always(framed(BODY), close=framed is until_closed))
    to = await client(server)
    assert await (await to.send(buffer_limit=buffer_limit)).read(len(BODY)) == BODY
    assert await (await to.send(buffer_limit=buffer_limit)).read(len(BODY) - 1) is None
    assert await (await to.send(buffer_limit=buffer_limit)).read(len(BODY) + 1) == BODY


async def test_an_answer_is_there_with_its_head(serve: Any, client: Any) -> None:
    go_on = asyncio.Event()

    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        await go_on.wait()
        await peer.send(b"te")
        await go_on.wait()
        await peer.send(b"xt")

    to = await client(await serve(handle))
    answer = await to.send(buffer_limit=0)
    assert answer.status == 200
    async with aclosing(answer.chunks()) as chunks:
        go_on.set()
        assert await anext(chunks) in (b"te", b"text")


async def test_what_unpacks_to_more_than_the_limit(serve: Any, client: Any) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB
    to = await client(await serve(always(answer)))
    taken = await to.send(buffer_limit=MEBIBYTE)
    assert taken.body is None
    assert await taken.read(MEBIBYTE) is None
    assert sum(map(len, [chunk async for chunk in (await to.send(buffer_limit=1)).chunks()])) == 64 * MEBIBYTE


async def test_what_unpacks_to_much_comes_in_pieces(serve: Any, client: Any) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB
    to = await client(await serve(always(answer)))
    async with aclosing((await to.send(buffer_limit=1)).chunks()) as chunks:
        assert max([len(chunk) async for chunk in chunks]) <= MEBIBYTE


async def test_as_it_is_it_stays_packed(serve: Any, client: Any) -> None:
    server = await serve(always(packed(BODY)))
    to = await client(server)
    answer = await to.send(pass_through=True, accept_codings=False, headers={"Accept-Encoding": "br, gzip"})
    assert gzip.decompress(answer.body or b"") == BODY
    assert b"Accept-Encoding: br, gzip\r\n" in server.requests[0]


async def test_a_reader_that_is_slow_slows_the_origin(serve: Any, client: Any) -> None:
    stalled = asyncio.Event()
    most = 64 * MEBIBYTE
    sent = 0

    async def handle(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        with socket.fromfd(peer.writer.get_extra_info("socket").fileno(), socket.AF_INET, socket.SOCK_STREAM) as raw:
            refused = 0
            while refused < 100 and sent < most:
                try:
                    sent += raw.send(b"x" * 2**16)
                    refused = 0
                except BlockingIOError:
                    refused += 1
                await turns(1)
        stalled.set()

    to = await client(await serve(handle))
    answer = await to.send(buffer_limit=1000)
    async with aclosing(answer.chunks()) as chunks:
        first = await anext(chunks)
        await stalled.wait()
        assert sent < most
        assert len(first) + sum([len(chunk) async for chunk in chunks]) == sent


@pytest.mark.parametrize("read", [0, 1, 3])
async def test_a_stream_that_is_closed_ends_the_answer(read: int, serve: Any, client: Any) -> None:
    ended = asyncio.Event()

    async def handle(peer: Peer) -> None:
        await peer.request()
        try:
            await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
            while not peer.writer.transport.is_closing():
                await peer.send(b"x" * 2**16)
                await turns(1)
        finally:
            ended.set()

    to = await client(await serve(handle))
    answer = await to.send(buffer_limit=1000)
    chunks = answer.chunks()
    for _ in range(read):
        await anext(chunks)
    await chunks.aclose()
    answer.close()
    answer.close()
    await asyncio.wait_for(ended.wait(), 10)


async def test_a_stream_may_last_but_not_stall(serve: Any, client: Any) -> None:
    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(6):
            await peer.send(b"x")
            # The stream's own pace, shorter than a pause may be and in all longer than a call may last.
            await asyncio.sleep(0.05)
        await peer.ended()

    to = await client(await serve(handle), idle=0.2)
    async with aclosing((await to.send(buffer_limit=0, seconds=0.2)).chunks()) as chunks:
        assert b"".join([await anext(chunks) for _ in range(6)]) == b"x" * 6
        with pytest.raises(TimeoutError):
            await anext(chunks)


@pytest.mark.parametrize("framed", [plain, in_chunks, packed, deflated])
@pytest.mark.parametrize("end", ["closed", "reset"])
async def test_a_stream_that_breaks_says_so(framed: Any, end: str, serve: Any, client: Any, differs: Any) -> None:
    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(framed(BODY)[:3000])
        await turns(5)
        if end == "reset":
            peer.reset()

    to = await client(await serve(handle))
    with pytest.raises(TransportError) as caught:
        await read(await to.send(buffer_limit=0))
    assert not isinstance(caught.value, MalformedResponseError)


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for piece in given:
        await turns(2)
        yield piece


async def received(peer: Peer) -> bytes:
    """Return a request with its body in chunks, whole."""
    head = await peer.reader.readuntil(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked\r\n" in head
    assert b"content-length" not in head.lower()
    body = b""
    while size := int((await peer.reader.readline()).strip(), 16):
        body += await peer.reader.readexactly(size)
        await peer.reader.readline()
    await peer.reader.readline()
    return body


async def test_a_body_that_is_sent_in_pieces(serve: Any, client: Any) -> None:
    bodies: list[bytes] = []

    async def handle(peer: Peer) -> None:
        while True:
            bodies.append(await received(peer))
            await peer.send(OK)

    server = await serve(handle)
    to = await client(server)
    assert await to.body("POST", body=pieces(b"a", b"", b"bc", b"d" * 100_000)) == b"ok"
    assert await to.body("PUT", body=pieces()) == b"ok"
    assert bodies == [b"abc" + b"d" * 100_000, b""]
    assert server.connections == 1


async def test_a_body_in_pieces_of_a_known_length(serve: Any, client: Any) -> None:
    server = await serve(always(OK))
    to = await client(server)
    headers = {"Content-Length": "6"}
    for _ in range(2):
        assert await to.body("POST", headers=headers, body=pieces(b"abc", b"def")) == b"ok"
    assert server.requests[0].endswith(b"\r\n\r\nabcdef")
    assert server.requests[0].lower().count(b"content-length") == 1
    assert b"transfer-encoding" not in server.requests[0].lower()
    assert server.connections == 1


@pytest.mark.parametrize("length", ["5", "7"])
async def test_a_body_of_another_length_than_was_said_is_not_sent(
    length: str, serve: Any, client: Any, differs: Any
) -> None:
    differs("aiohttp", "it sends what there is, and waits for an answer")
    to = await client(await serve(always(OK)), idle=0.5)
    with pytest.raises(TransportError):
        await to.send("POST", headers={"Content-Length": length}, body=pieces(b"abc", b"def"), seconds=1)


async def test_what_giving_the_body_raises_is_raised(serve: Any, client: Any) -> None:
    ended = asyncio.Event()

    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise LookupError("gone")

    async def handle(peer: Peer) -> None:
        await peer.ended()
        ended.set()

    to = await client(await serve(handle))
    with pytest.raises(LookupError, match="gone"):
        await to.send("POST", body=broken())
    await asyncio.wait_for(ended.wait(), 10)


async def test_a_body_that_is_slow_does_not_use_up_the_origins_time(serve: Any, client: Any) -> None:
    async def slow() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"a"
            # The caller's own pace.
            await asyncio.sleep(0.1)

    async def handle(peer: Peer) -> None:
        while True:
            await received(peer)
            await peer.send(OK)

    to = await client(await serve(handle), idle=0.2)
    assert await to.body("POST", body=slow(), seconds=0.2) == b"ok"


async def test_an_origin_that_does_not_read_slows_the_body_and_then_fails_it(serve: Any, client: Any) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * MEBIBYTE

    async def handle(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    to = await client(await serve(handle), idle=0.2)
    with pytest.raises(TimeoutError):
        await to.send("POST", body=endless(), seconds=0.2)
    assert sent < 64


async def test_an_answer_while_the_body_is_sent_ends_it(serve: Any, client: Any) -> None:
    given_up = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
                await turns(1)
        finally:
            given_up.set()

    async def handle(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(OK)
        with suppress(ConnectionError):
            await peer.ended()

    server = await serve(handle)
    to = await client(server)
    assert await to.body("POST", body=endless()) == b"ok"
    await asyncio.wait_for(given_up.wait(), 10)
    assert await to.body("GET") == b"ok"
    assert server.connections == 2


async def test_a_body_and_its_answer_at_once(serve: Any, client: Any) -> None:
    async def echo(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while line := await peer.reader.readline():
            await peer.send(line)
            await peer.send(await peer.reader.readexactly(int(line, 16) + 2))
            if line == b"0\r\n":
                return

    said: asyncio.Queue[bytes] = asyncio.Queue()

    async def talk() -> AsyncIterator[bytes]:
        while piece := await said.get():
            yield piece

    to = await client(await serve(echo))
    said.put_nowait(b"a")
    answer = await to.send("POST", body=talk(), buffer_limit=0)
    async with aclosing(answer.chunks()) as chunks:
        assert await anext(chunks) == b"a"
        said.put_nowait(b"b")
        assert await anext(chunks) == b"b"
        said.put_nowait(b"")
        assert [chunk async for chunk in chunks] == []


async def test_an_answer_may_last_while_its_request_is_still_open(serve: Any, client: Any) -> None:
    over = asyncio.Event()

    async def open_ended() -> AsyncIterator[bytes]:
        yield b"a"
        await over.wait()

    async def handle(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
        for _ in range(8):
            # The origin's own pace, in all longer than a call may last.
            await asyncio.sleep(0.05)
            await peer.send(b"x")
        await peer.ended()

    to = await client(await serve(handle), idle=0.3)
    answer = await to.send("POST", body=open_ended(), buffer_limit=0, seconds=0.3)
    assert await read(answer) == b"x" * 8
    over.set()
