"""Clients that break the protocol, or use more than their share: each frame is written by the test."""

from __future__ import annotations

import asyncio
import gzip
import struct
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from adapter_host import CallRecord
from adapter_host.testing import Running, running
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)

from .conftest import document

PATH = "/front_door.FrontDoor/Read"
READ = {"name": "read", "inputParameters": [{"name": "id", "type": "integer", "required": True}]}
OPERATION = {"name": "read", "call": "api.read"}
REQUEST = b"\x08\x07"


def frame(message: bytes, flag: int = 0) -> bytes:
    return struct.pack(">BI", flag, len(message)) + message


class Peer:
    """One HTTP/2 connection of a client that checks nothing itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        config = H2Configuration(
            validate_outbound_headers=False, normalize_outbound_headers=False, header_encoding="latin-1"
        )
        self.h2 = H2Connection(config)
        self.reader = reader
        self.writer = writer
        self.events: list[Event] = []
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())

    def request(
        self, body: bytes | None, *extra: tuple[str, str], end: bool = True, replaced: Mapping[str, str] | None = None
    ) -> int:
        """Send a request; None is no body."""
        known = {":method": "POST", ":scheme": "http", ":path": PATH, ":authority": "x", "te": "trailers"}
        known |= {
            "content-type": "application/grpc",
            **(replaced or {}),
        }
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [*known.items(), *extra], end_stream=body is None)
        pieces = (
            [] if body is None else [body[start : start + 16_384] for start in range(0, len(body), 16_384)] or [b""]
        )
        for number, piece in enumerate(pieces, 1):
            self.h2.send_data(stream, piece, end_stream=end and number == len(pieces))
        self.flush()
        return stream

    async def read(self, acknowledge: bool = True) -> bool:
        """Process the next frames; return False at the end of the connection."""
        data = await self.reader.read(65_536)
        if data:
            events = self.h2.receive_data(data)
            self.events += events
            for event in events:
                if isinstance(event, DataReceived) and acknowledge:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self.flush()
        return bool(data)

    async def response(self, stream: int) -> tuple[dict[str, str], bytes]:
        """Return the headers with the trailers of a response, and its body."""
        while True:
            mine = [event for event in self.events if getattr(event, "stream_id", None) == stream]
            if any(isinstance(event, StreamEnded | StreamReset) for event in mine):
                break
            assert await self.read(), "the connection has ended"
        headers: dict[str, str] = {}
        for event in mine:
            if isinstance(event, ResponseReceived | TrailersReceived):
                headers.update((str(name), str(value)) for name, value in event.headers)
        return headers, b"".join(event.data for event in mine if isinstance(event, DataReceived))

    async def status(self, stream: int) -> tuple[str, str]:
        headers, _ = await self.response(stream)
        return headers["grpc-status"], unquote(headers.get("grpc-message", ""))

    async def end(self) -> ErrorCodes | int | None:
        """Wait for the end of the connection, and return the code of its GOAWAY if it arrives before a reset."""
        with suppress(ConnectionResetError):
            while await self.read():
                pass
        codes = [event.error_code for event in self.events if isinstance(event, ConnectionTerminated)]
        return codes[0] if codes else None


@asynccontextmanager
async def peer_of(served: Running) -> AsyncIterator[Peer]:
    address = urlsplit(served.url("front-door"))
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield Peer(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[Running]:
    async with running(document(OPERATION, consumed=[READ]), **settings) as served:
        yield served
        # Whatever a client did, the next one is served.
        async with peer_of(served) as peer:
            assert await peer.status(peer.request(frame(REQUEST))) == ("0", "")


BOMB = gzip.compress(bytes(50 * 2**20))

BODIES = [
    (b"", (), "3", "the request has no message"),
    (b"\x00\x00", (), "3", "the message is truncated"),
    (frame(REQUEST)[:-1], (), "3", "the message is truncated"),
    (frame(REQUEST) * 2, (), "3", "the request has more than one message"),
    (frame(REQUEST) + b"\x00", (), "3", "the request has more than one message"),
    (frame(REQUEST, 2), (), "3", "the first byte of the message is neither 0 nor 1"),
    (struct.pack(">BI", 0, 2**32 - 1), (), "8", "the message is larger than 1048576 bytes"),
    (frame(b"\xff\xff\xff"), (), "3", "the message is malformed"),
    (frame(b"\x0a\xff\xff\xff\xff\x0f"), (), "3", "the message is malformed"),
    (frame(BOMB, 1), ("gzip",), "8", "the message is larger than 1048576 bytes when it is decompressed"),
    (frame(b"no gzip", 1), ("gzip",), "3", "the message has compressed data that cannot be decoded"),
    (frame(gzip.compress(REQUEST)[:-4], 1), ("gzip",), "3", "the message has compressed data that is truncated"),
    (frame(REQUEST, 1), (), "3", "the message is compressed, but 'grpc-encoding' does not say how"),
    (frame(REQUEST, 1), ("br",), "12", "the compression 'br' is not supported"),
]


@pytest.mark.parametrize(("body", "encoding", "code", "message"), BODIES, ids=range(len(BODIES)))
async def test_malformed_messages(body: bytes, encoding: Iterable[str], code: str, message: str) -> None:
    async with serving(body_limit=2**20) as served, peer_of(served) as peer:
        stream = peer.request(body, *(("grpc-encoding", each) for each in encoding))
        status, text = await peer.status(stream)
        assert (status, text.startswith(message)) == (code, True), text
        assert served.fake("api").calls == []
        # The connection goes on.
        assert await peer.status(peer.request(frame(REQUEST))) == ("0", "")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({":method": "GET"}, "405"),
        ({"content-type": "application/json"}, "415"),
        ({"content-type": "application/grpc-web"}, "415"),
    ],
)
async def test_requests_that_are_no_calls(headers: dict[str, str], status: str) -> None:
    records: list[CallRecord] = []
    async with serving(access_log=records.append) as served, peer_of(served) as peer:
        response, body = await peer.response(peer.request(frame(REQUEST), replaced=headers))
        assert (response[":status"], body) == (status, b"")
        assert "grpc-status" not in response
        assert [(each.status, each.site.exposer, each.operation) for each in records] == [
            (int(status), "front-door", None)
        ]


@pytest.mark.parametrize("path", ["/front_door.FrontDoor/Write", "/", "*", "/front_door.FrontDoor/Read/", "//"])
async def test_unknown_methods(path: str) -> None:
    async with serving() as served, peer_of(served) as peer:
        status, _ = await peer.status(peer.request(frame(REQUEST), replaced={":path": path}))
        assert status == "12"


@pytest.mark.parametrize("text", ["", "1", "S", "-1S", "999999999S", "1x", "\u0661S"])
async def test_malformed_deadlines(text: str) -> None:
    async with serving() as served, peer_of(served) as peer:
        stream = peer.request(frame(REQUEST), ("grpc-timeout", text.encode().decode("latin-1")))
        assert await peer.status(stream) == ("3", "'grpc-timeout' is malformed")


async def test_deadline_of_zero_is_past() -> None:
    records: list[CallRecord] = []
    async with serving(access_log=records.append) as served, peer_of(served) as peer:
        assert (await peer.status(peer.request(frame(REQUEST), ("grpc-timeout", "0n"))))[0] == "4"
        assert [(each.status, each.client_address) for each in records] == [("DEADLINE_EXCEEDED", "127.0.0.1")]
        assert served.fake("api").calls == []


async def test_large_metadata_is_refused() -> None:
    async with serving() as served, peer_of(served) as peer:
        stream = peer.request(frame(REQUEST), ("x-large", "x" * 17_000))
        assert await peer.status(stream) == ("8", "the metadata is larger than 16384 bytes")
        assert await peer.status(peer.request(frame(REQUEST), *[("a", "")] * 700)) == (
            "8",
            "the metadata is larger than 16384 bytes",
        )


async def test_huge_metadata_ends_the_connection() -> None:
    async with serving() as served, peer_of(served) as peer:
        peer.request(frame(REQUEST), *[(f"x-{number}", "x" * 8000) for number in range(20)])
        await peer.end()


async def test_rapid_resets_end_the_connection() -> None:
    async with serving() as served, peer_of(served) as peer:
        hold = served.fake("api").hold("read")
        for _ in range(200):
            stream = peer.request(frame(REQUEST), end=False)
            peer.h2.reset_stream(stream)
        peer.flush()
        assert await peer.end() in (ErrorCodes.ENHANCE_YOUR_CALM, None)
        assert not hold.release.is_set()
        hold.release.set()


async def test_resets_of_some_calls_are_accepted() -> None:
    async with serving() as served, peer_of(served) as peer:
        for _ in range(150):
            stream = peer.request(frame(REQUEST), end=False)
            peer.h2.reset_stream(stream)
            assert await peer.status(peer.request(frame(REQUEST))) == ("0", "")


async def test_too_many_streams_end_the_connection() -> None:
    async with serving() as served, peer_of(served) as peer:
        peer.h2.remote_settings.max_concurrent_streams = 1000
        for _ in range(101):
            peer.request(frame(REQUEST)[:3], end=False)
        await peer.end()
        assert served.fake("api").calls == []


async def test_other_protocols_end_the_connection() -> None:
    async with serving() as served:
        address = urlsplit(served.url("front-door"))
        for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"\0" * 100):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            writer.write(data)
            assert not (await reader.read()).startswith(b"HTTP/1.1 200")
            writer.close()


async def test_request_that_stalls_is_ended() -> None:
    async with serving(body_timeout=0.2) as served, peer_of(served) as peer:
        stream = peer.request(frame(REQUEST)[:3], end=False)
        assert await peer.status(stream) == ("4", "the request was not sent in time")


async def test_response_that_is_not_read_is_ended() -> None:
    async with serving(send_timeout=0.2) as served, peer_of(served) as peer:
        served.fake("api").responses["read"] = lambda _: {"text": "x" * 10_000_000}
        stream = peer.request(frame(REQUEST))
        while not any(isinstance(event, StreamReset) for event in peer.events):
            assert await peer.read(acknowledge=False)
        assert stream in [event.stream_id for event in peer.events if isinstance(event, StreamReset)]
        served.fake("api").responses.clear()


async def test_idle_connections_are_asked_to_close() -> None:
    async with serving(keep_alive_timeout=0.2) as served, peer_of(served) as peer:
        assert await peer.status(peer.request(frame(REQUEST))) == ("0", "")
        # None: a reset has arrived before the GOAWAY was read.
        assert await peer.end() in (ErrorCodes.NO_ERROR, None)


async def test_connections_without_a_request_are_closed() -> None:
    async with serving(header_timeout=0.2) as served:
        address = urlsplit(served.url("front-door"))
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        await reader.read()
        writer.close()


async def test_disconnect_ends_all_calls() -> None:
    async with serving() as served:
        hold = served.fake("api").hold("read")
        async with peer_of(served) as peer:
            peer.request(frame(REQUEST))
            await hold.entered.wait()
        await hold.cancelled.wait()
        hold.release.set()


async def test_graceful_end_of_a_client() -> None:
    async with serving() as served, peer_of(served) as peer:
        hold = served.fake("api").hold("read")
        stream = peer.request(frame(REQUEST))
        await hold.entered.wait()
        peer.h2.close_connection()
        # The client's own state would read nothing more.
        peer.writer.write(peer.h2.data_to_send())
        hold.release.set()
        assert stream == 1
        assert await peer.reader.read()
