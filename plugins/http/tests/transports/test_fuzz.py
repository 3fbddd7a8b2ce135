"""Answers in any pieces: each transport reads from them what the other does, however they are cut."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapter_host_http.request.request import PreparedHeaders, Request
from adapter_host_http.transport.aiohttp import AiohttpTransport
from adapter_host_http.transport.base import Limits, Origin, Transport, TransportError
from adapter_host_http.transport.native import NativeTransport

from .conftest import turns

NAMES = st.text("abcXYZ-019", min_size=1, max_size=12).map(lambda name: f"X-{name}".encode())
VALUES = st.text('abc ,;="é\t', max_size=20).map(lambda value: value.strip(" \t").encode())
BODIES = st.binary(max_size=300) | st.sampled_from(
    [b"", b"0\r\n\r\n", b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"z" * 3000]
)
PACK: dict[bytes, Callable[[bytes], bytes]] = {b"gzip": gzip.compress, b"deflate": zlib.compress}


@dataclass(frozen=True)
class Sent:
    """An answer in pieces, and whether the connection ends with it."""

    data: bytes
    cuts: tuple[int, ...]
    closes: bool

    @property
    def pieces(self) -> list[bytes]:
        cuts = sorted({cut % (len(self.data) + 1) for cut in self.cuts})
        return [self.data[start:end] for start, end in zip([0, *cuts], [*cuts, len(self.data)], strict=True)]


@st.composite
def answers(draw: Any) -> Sent:
    """Answers as RFC 9112 allows them."""
    status = draw(st.sampled_from([200, 201, 204, 304, 404, 500]))
    lines = [name + b": " + value for name, value in draw(st.lists(st.tuples(NAMES, VALUES), max_size=5))]
    body = draw(BODIES) if status not in (204, 304) else b""
    coding = draw(st.sampled_from([None, *PACK])) if body else None
    if coding is not None:
        lines.append(b"Content-Encoding: " + coding)
        body = PACK[coding](body)
    framing = draw(st.sampled_from(["length", "chunks", "end"])) if status not in (204, 304) else "none"
    if framing == "length":
        lines.append(b"Content-Length: %d" % len(body))
    elif framing == "chunks":
        lines.append(b"Transfer-Encoding: chunked")
        body = draw(chunked(body))
    draw(st.randoms()).shuffle(lines)
    interim = draw(
        st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n"])
    )
    data = interim + b"\r\n".join([b"HTTP/1.1 %d Some reason" % status, *lines, b"", b""]) + body
    cuts = draw(st.lists(st.integers(0, 4000), max_size=8)) if draw(st.booleans()) else range(len(data))
    return Sent(data, tuple(cuts), closes=framing == "end" or draw(st.booleans()))


@st.composite
def chunked(draw: Any, body: bytes) -> bytes:
    """Return a body in chunks, some with extensions."""
    framed = b""
    while body:
        size = draw(st.integers(1, len(body)))
        framed += b"%x%b\r\n%b\r\n" % (size, draw(st.sampled_from([b"", b";a", b';a="b c"'])), body[:size])
        body = body[size:]
    trailer: bytes = draw(st.sampled_from([b"", b"X-Sum: 1\r\n"]))
    return framed + b"0\r\n" + trailer + b"\r\n"


class Both:
    """A server that sends what it is told, and what each transport makes of it."""

    def __init__(self) -> None:
        self.sent = Sent(b"", (), closes=True)
        self.transports: dict[str, Transport] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                for piece in self.sent.pieces:
                    writer.write(piece)
                    await turns(2)
                if self.sent.closes:
                    break
        writer.close()

    async def read(self, name: str, *, buffer_limit: int) -> Any:
        request = Request("/", PreparedHeaders(), {}, None)
        deadline = asyncio.get_running_loop().time() + 20
        try:
            answer = await self.transports[name].send("GET", request, deadline=deadline, buffer_limit=buffer_limit)
            body = b"".join([chunk async for chunk in answer.chunks()]) if answer.body is None else answer.body
        except TransportError as error:
            return type(error)
        return answer.status, answer.media_type, [(name.lower(), value) for name, value in answer.headers.items()], body


@pytest.fixture
async def both() -> AsyncIterator[Both]:
    """Yield the server, and a transport of each kind."""
    both = Both()
    server = await asyncio.start_server(both.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for name, kind in (("native", NativeTransport), ("aiohttp", AiohttpTransport)):
        both.transports[name] = kind(Origin("http", "127.0.0.1", port, f"127.0.0.1:{port}"), Limits(5, 20))
        await both.transports[name].open()
    yield both
    for transport in both.transports.values():
        await transport.close()
    server.close()
    await server.wait_closed()
    await turns(5)


FIXTURE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)


@FIXTURE
@given(sent=answers(), buffer_limit=st.sampled_from([0, 10, 2**20]))
async def test_answers_are_read_as_by_aiohttp(both: Both, sent: Sent, buffer_limit: int) -> None:
    both.sent = sent
    native = await both.read("native", buffer_limit=buffer_limit)
    assert isinstance(native, tuple)
    assert native == await both.read("aiohttp", buffer_limit=buffer_limit)


@FIXTURE
@given(sent=answers(), change=st.tuples(st.integers(0, 4000), st.binary(max_size=3), st.integers(0, 3)))
async def test_a_damaged_answer_is_read_or_refused_and_never_more(
    both: Both, sent: Sent, change: tuple[int, bytes, int]
) -> None:
    start, new, length = change
    start %= len(sent.data) + 1
    data = sent.data[:start] + new + sent.data[start + length :]
    both.sent = Sent(data, sent.cuts, closes=True)
    found = await both.read("native", buffer_limit=2**20)
    both.sent = Sent(data, tuple(range(len(data))), closes=True)
    again = await both.read("native", buffer_limit=2**20)
    assert found == again
    if isinstance(found, tuple):
        assert 200 <= found[0] <= 599
