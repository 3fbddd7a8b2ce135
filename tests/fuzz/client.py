"""A fuzzer of the transports that call APIs: sequences of hostile responses on connections that may be kept."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from adapter_host_http.request.request import PreparedHeaders, Request
from adapter_host_http.transport.aiohttp import AiohttpTransport
from adapter_host_http.transport.base import Limits, Origin, Response, Transport, TransportError
from adapter_host_http.transport.native import NativeTransport

from .examples import fuzzer
from .run import Fuzzer

METHODS = ("GET", "GET", "HEAD", "POST", "PUT")
LIMIT = 2**20

STATUSES = ("200 OK", "200 OK", "204 No Content", "304 Not Modified", "404 Not Found", "205 Reset", "500 Error")
INTERIM = (b"", b"", b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n", b"HTTP/1.1 100 Go\r\nContent-Length: 5\r\n\r\n")
OTHER = b"HTTP/1.1 200 OK\r\nX-Id: other\r\nContent-Length: 5\r\n\r\nother"
SURPLUS = st.sampled_from([b"\r\n", b"\n", b"{}", b"0\r\n\r\n", b"HTTP/1.1 200", OTHER, OTHER * 2, OTHER[:-1]])
BODIES = st.sampled_from(
    [b"", b"{}", b"\r\n\r\n", b"0\r\n\r\n", b"z" * 3000, OTHER, b"text" + OTHER, gzip.compress(b"")]
)


@dataclass(frozen=True)
class Exchange:
    """A response, and the data after it; `%id` in it is the id of its request, and it is sent in pieces.

    `held_back` is sent when the next request arrives on the connection, unless that is closed before (`then`).
    """

    method: str
    response: bytes
    cuts: tuple[int, ...]
    surplus: bytes
    in_one_packet: bool
    held_back: bytes
    then: str
    buffer_limit: int

    def pieces(self, identity: bytes) -> list[bytes]:
        data = self.response.replace(b"%id", identity)
        cuts = sorted({cut % (len(data) + 1) for cut in self.cuts})
        return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def framed(body: bytes, framing: str, chunk: int) -> tuple[list[bytes], bytes]:
    """Return the headers and the data of a body."""
    if framing == "chunks":
        pieces = [body[start : start + chunk] for start in range(0, len(body), chunk)]
        data = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        return [b"Transfer-Encoding: chunked"], data + b"0\r\n\r\n"
    if framing == "none":
        return [], body
    wrong = {"length": 0, "too long": 7, "too short": -1}[framing]
    return [b"Content-Length: %d" % max(0, len(body) + wrong)], body


@st.composite
def exchanges(draw: Any) -> Exchange:
    """Generate an exchange; most have one thing wrong at most, so that connections are kept."""
    body = draw(BODIES)
    lines = [b"X-Id: %id"]
    coding = draw(st.sampled_from([None, None, None, "gzip", "deflate", "br"]))
    if coding:
        lines.append(b"Content-Encoding: " + coding.encode())
        body = gzip.compress(body) * draw(st.integers(1, 3)) if coding == "gzip" else zlib.compress(body)
    framing = draw(st.sampled_from(["length", "length", "length", "chunks", "chunks", "none", "too long", "too short"]))
    more, data = framed(body, framing, draw(st.integers(1, 1000)))
    status = draw(st.sampled_from(STATUSES)).encode()
    method = draw(st.sampled_from(METHODS))
    bodiless = method == "HEAD" or status.startswith((b"204", b"304"))
    sends_body = not bodiless or draw(st.booleans())
    head = b"\r\n".join([b"HTTP/1.%d %b" % (draw(st.sampled_from([1, 1, 1, 0])), status), *lines, *more, b"", b""])
    whole = draw(st.sampled_from(INTERIM)) + head + (data if sends_body else b"")
    damaged = draw(st.integers(0, 4)) == 0
    if damaged:
        start, length = draw(st.integers(0, len(whole))), draw(st.integers(0, 3))
        whole = whole[:start] + draw(st.binary(max_size=3)) + whole[start + length :]
    cuts = tuple(draw(st.lists(st.integers(0, 4000), max_size=4)))
    surplus, held_back, in_one_packet = b"", b"", draw(st.booleans())
    if bodiless and not sends_body and not damaged and (method == "HEAD" or more not in ([], [b"Content-Length: 0"])):
        held_back = OTHER
    elif draw(st.booleans()):
        surplus = draw(SURPLUS)
        if in_one_packet and not damaged:
            sent = draw(st.integers(1, len(surplus)))
            surplus, held_back = surplus[:sent], surplus[sent:]
    then = "close" if not held_back and draw(st.booleans()) else "next"
    limit = draw(st.sampled_from([0, 10, LIMIT]))
    return Exchange(method, whole, cuts, surplus, in_one_packet, held_back, then, limit)


async def let_loop_run(count: int) -> None:
    """Run `count` iterations of the event loop."""
    for _ in range(count):
        await asyncio.sleep(0)


class HostileServer:
    """Plays the exchange of each request, by its target, and a valid response for every other."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.arrived = asyncio.Event()
        self.settled = asyncio.Event()
        """Set when all data of the current exchange is sent."""
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        held_back = b""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(held_back)
                exchange = await self._respond(request, writer)
                if exchange is not None and exchange.then == "close":
                    break
                held_back = exchange.held_back if exchange is not None else b""
        writer.close()

    async def _respond(self, request: bytes, writer: asyncio.StreamWriter) -> Exchange | None:
        identity = request.split()[1][1:]
        if not identity.isdigit():
            writer.write(b"HTTP/1.1 200 OK\r\nX-Id: %b\r\nContent-Length: 2\r\n\r\nok" % identity)
            return None
        self.arrived.set()
        exchange = self.exchanges[int(identity)]
        pieces = exchange.pieces(identity)
        if exchange.in_one_packet:
            pieces[-1] += exchange.surplus
        for piece in pieces:
            if writer.transport.is_closing():
                break
            writer.write(piece)
            await let_loop_run(2)
        if exchange.surplus and not exchange.in_one_packet:
            writer.write(exchange.surplus)
        await let_loop_run(2)
        self.settled.set()
        return exchange

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()


async def identity_of(transport: Transport, method: str, target: str, limit: int) -> str | None:
    """Return the id in the response to a request, or None if there is no valid response."""
    request = Request(f"/{target}", PreparedHeaders(), {}, None)
    deadline = asyncio.get_running_loop().time() + 20
    try:
        response: Response = await transport.send(method, request, deadline=deadline, buffer_limit=limit)
        if response.body is None and await response.read(LIMIT) is None:
            return None
        return str(response.headers.get("X-Id", ""))
    except TransportError:
        return None


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[HostileServer, int]]:
    """Yield a server and its port."""
    hostile = HostileServer()
    server = await asyncio.start_server(hostile.serve, "127.0.0.1", 0)
    yield hostile, server.sockets[0].getsockname()[1]
    server.close()
    hostile.hang_up()
    await server.wait_closed()
    await let_loop_run(5)


async def play(transport: Transport, server: HostileServer) -> None:
    """Make the planned calls one after the other, and one to a well-behaved resource after each.

    No call may get the response of another one, and none may fail because of the call before. The API sends surplus
    data before the next request, because nobody can distinguish it from a response after that.
    """
    for number, exchange in enumerate(server.exchanges):
        server.arrived.clear()
        server.settled.clear()
        call = asyncio.create_task(identity_of(transport, exchange.method, str(number), exchange.buffer_limit))
        arrival = asyncio.create_task(server.arrived.wait())
        await asyncio.wait([call, arrival], return_when=asyncio.FIRST_COMPLETED)
        # A request on a connection that the server has closed does not arrive.
        if not arrival.cancel():
            await server.settled.wait()
        await let_loop_run(5)
        if not call.done():
            # It waits for more than there is.
            server.hang_up()
        # Damage may change the id, but not to that of another response.
        assert "other" not in (await call or ""), exchange
        assert await identity_of(transport, "GET", "next", LIMIT) == "next", exchange


async def play_on_all(server: HostileServer, port: int) -> None:
    """Play the planned exchanges on new transports of each kind."""
    for kind in (NativeTransport, AiohttpTransport):
        transport: Transport = kind(Origin("http", "127.0.0.1", port, f"127.0.0.1:{port}"), Limits(5, 20))
        await transport.open()
        try:
            await play(transport, server)
        finally:
            await transport.close()


@contextmanager
def open_fuzzer() -> Iterator[Fuzzer]:
    """Serve a hostile API, and yield the function that calls it over all transports."""
    with asyncio.Runner() as runner:
        context = serving()
        server, port = runner.run(context.__aenter__())

        def check(planned: list[Exchange]) -> None:
            server.exchanges = planned
            runner.run(play_on_all(server, port))

        try:
            yield fuzzer(st.lists(exchanges(), min_size=1, max_size=6), check)
        finally:
            runner.run(context.__aexit__(None, None, None))
