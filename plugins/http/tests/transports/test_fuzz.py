"""Responses split at any byte: both transports read the same."""

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

from .conftest import let_loop_run

NAMES = st.text("abcXYZ-019", min_size=1, max_size=12).map(lambda name: f"X-{name}".encode())
VALUES = st.text('abc ,;="é\t', max_size=20).map(lambda value: value.strip(" \t").encode())
BODIES = st.binary(max_size=300) | st.sampled_from(
    [b"", b"0\r\n\r\n", b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"z" * 3000]
)
PACK: dict[bytes, Callable[[bytes], bytes]] = {b"gzip": gzip.compress, b"deflate": zlib.compress}


@dataclass(frozen=True)
class SentResponse:
    """A response in pieces, and whether the connection is closed after it."""

    data: bytes
    cuts: tuple[int, ...]
    closes: bool

    @property
    def pieces(self) -> list[bytes]:
        cuts = sorted({cut % (len(self.data) + 1) for cut in self.cuts})
        return [self.data[start:end] for start, end in zip([0, *cuts], [*cuts, len(self.data)], strict=True)]


@st.composite
def responses(draw: Any) -> SentResponse:
    """Generate responses that RFC 9112 allows."""
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
    return SentResponse(data, tuple(cuts), closes=framing == "end" or draw(st.booleans()))


@st.composite
def chunked(draw: Any, body: bytes) -> bytes:
    """Generate a chunked body, some chunks with extensions."""
    framed = b""
    while body:
        size = draw(st.integers(1, len(body)))
        framed += b"%x%b\r\n%b\r\n" % (size, draw(st.sampled_from([b"", b";a", b';a="b c"'])), body[:size])
        body = body[size:]
    trailer: bytes = draw(st.sampled_from([b"", b"X-Sum: 1\r\n"]))
    return framed + b"0\r\n" + trailer + b"\r\n"


class BothTransports:
    """A server that sends a given response, and both transports."""

    def __init__(self) -> None:
        self.sent_response = SentResponse(b"", (), closes=True)
        self.transports: dict[str, Transport] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                for piece in self.sent_response.pieces:
                    writer.write(piece)
                    await let_loop_run(2)
                if self.sent_response.closes:
                    break
        writer.close()

    async def read(self, name: str, *, buffer_limit: int) -> Any:
        request = Request("/", PreparedHeaders(), {}, None)
        deadline = asyncio.get_running_loop().time() + 20
        try:
            response = await self.transports[name].send("GET", request, deadline=deadline, buffer_limit=buffer_limit)
            body = b"".join([chunk async for chunk in response.chunks()]) if response.body is None else response.body
        except TransportError as error:
            return type(error)
        return (
            response.status,
            response.media_type,
            [(name.lower(), value) for name, value in response.headers.items()],
            body,
        )


@pytest.fixture
async def both_transports() -> AsyncIterator[BothTransports]:
    """Yield the server, and a transport of each kind."""
    both_transports = BothTransports()
    server = await asyncio.start_server(both_transports.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for name, kind in (("native", NativeTransport), ("aiohttp", AiohttpTransport)):
        both_transports.transports[name] = kind(Origin("http", "127.0.0.1", port, f"127.0.0.1:{port}"), Limits(5, 20))
        await both_transports.transports[name].open()
    yield both_transports
    for transport in both_transports.transports.values():
        await transport.close()
    server.close()
    await server.wait_closed()
    await let_loop_run(5)


FIXTURE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)


@pytest.mark.smoke(uvloop=())
@FIXTURE
@given(sent_response=responses(), buffer_limit=st.sampled_from([0, 10, 2**20]))
async def test_native_and_aiohttp_read_the_same(
    both_transports: BothTransports, sent_response: SentResponse, buffer_limit: int
) -> None:
    both_transports.sent_response = sent_response
    native = await both_transports.read("native", buffer_limit=buffer_limit)
    assert isinstance(native, tuple)
    assert native == await both_transports.read("aiohttp", buffer_limit=buffer_limit)


@pytest.mark.smoke(uvloop=())
@FIXTURE
@given(sent_response=responses(), change=st.tuples(st.integers(0, 4000), st.binary(max_size=3), st.integers(0, 3)))
async def test_damaged_response_is_read_or_rejected(
    both_transports: BothTransports, sent_response: SentResponse, change: tuple[int, bytes, int]
) -> None:
    start, new, length = change
    start %= len(sent_response.data) + 1
    data = sent_response.data[:start] + new + sent_response.data[start + length :]
    both_transports.sent_response = SentResponse(data, sent_response.cuts, closes=True)
    first = await both_transports.read("native", buffer_limit=2**20)
    both_transports.sent_response = SentResponse(data, tuple(range(len(data))), closes=True)
    second = await both_transports.read("native", buffer_limit=2**20)
    assert first == second
    if isinstance(first, tuple):
        assert 200 <= first[0] <= 599
