"""Attacks by connections: silent, incomplete, too slow or too many. Every request ends, and others are served."""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapter_host.server.connection.limits import address_reader
from adapter_host.server.connection.log import CONNECTION_LIMIT, INTERVAL, ConnectionLog
from adapter_host.testing import Running, running
from tests.support.host_process import host_process
from tests.support.raw_http import CLOSE, Connection, connect, exchange, raw_upstream, status_of
from tests.support.slow_clients import PING, document, drip, head

EXPOSERS = ("rest", "tools", "skills", "control")

BODY_READERS = {
    "rest": ("rest", b"POST /echo"),
    "forward": ("rest", b"POST /forward/things"),
    "mcp": ("tools", b"POST /mcp"),
    "control": ("control", b"PUT /logs/adapter_host"),
}
"""Requests whose handlers read the body, with their exposers."""


def port_of(served: Running, namespace: str) -> int:
    return int(served.url(namespace).split(":")[2].split("/")[0])


@asynccontextmanager
async def draining_upstream() -> AsyncIterator[str]:
    """Serve an upstream that reads a request of any length, and never responds."""

    async def serve(connection: Connection) -> None:
        await connection.reader.read()

    async with raw_upstream(serve) as upstream:
        yield upstream.url


@pytest.mark.parametrize("namespace", EXPOSERS)
@pytest.mark.parametrize(
    ("sent", "status"),
    [(b"", 0), (b"GET /pi", 408), (b"GET /ping HTTP/1.1\r\nHost: localhost\r\nX-Ha", 408)],
    ids=["silent", "half-line", "half-head"],
)
async def test_incomplete_heads_end(namespace: str, sent: bytes, status: int) -> None:
    async with running(document(), header_timeout=0.1) as served:
        assert status_of(await exchange(port_of(served, namespace), sent)) == status


async def test_a_head_that_arrives_byte_by_byte_ends() -> None:
    async with running(document(), header_timeout=0.2) as served, connect(port_of(served, "rest")) as connection:
        await connection.send(b"GET /ping HTTP/1.1\r\nX-A: ")
        assert status_of(await drip(connection)) == 408


async def test_an_incomplete_second_head_ends() -> None:
    async with running(document(), header_timeout=0.1) as served, connect(port_of(served, "rest")) as connection:
        await connection.send(b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await connection.reader.readuntil(b'"pong"')
        await connection.send(b"GET /ping HTTP/1.1\r\nX-A: ")
        assert status_of(await drip(connection)) == 408


async def test_an_idle_connection_ends() -> None:
    async with running(document(), keep_alive_timeout=0.1) as served, connect(port_of(served, "rest")) as connection:
        await connection.send(b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await connection.read_all()).count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("framing", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("reader", BODY_READERS)
async def test_incomplete_bodies_end(reader: str, framing: bytes) -> None:
    namespace, line = BODY_READERS[reader]
    half = b'{"te' if b"Length" in framing else b'64\r\n{"te'
    async with draining_upstream() as url, running(document(url), body_timeout=0.1) as served:
        received = await exchange(port_of(served, namespace), head(line, framing) + half)
        assert status_of(received) == 408
        assert b"connection: close" in received.lower()
        assert served.host.calls == 0


async def test_a_body_below_the_minimum_rate_ends() -> None:
    limits: dict[str, Any] = {"body_timeout": 0.2, "minimum_rate": 10**6}
    async with running(document(), **limits) as served, connect(port_of(served, "rest")) as connection:
        await connection.send(head(b"POST /echo", b"Content-Length: 1000000") + b'{"text": "')
        assert status_of(await drip(connection)) == 408


async def test_a_slow_body_above_the_minimum_rate_is_received() -> None:
    body = b'{"text": "%b"}' % (b"x" * 40)
    limits: dict[str, Any] = {"body_timeout": 0.6, "minimum_rate": 1}
    async with running(document(), **limits) as served, connect(port_of(served, "rest")) as connection:
        await connection.send(head(b"POST /echo", b"Content-Length: %d" % len(body), b"Connection: close"))
        for byte in body:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.03):
                    await connection.reader.read(1)
            await connection.send(bytes([byte]))
        assert status_of(await connection.read_all()) == 200


@pytest.mark.parametrize("reader", BODY_READERS)
async def test_a_malformed_chunk_in_a_body_is_rejected(reader: str) -> None:
    namespace, line = BODY_READERS[reader]
    async with draining_upstream() as url, running(document(url)) as served:
        async with connect(port_of(served, namespace)) as connection:
            await connection.send(head(line, b"Transfer-Encoding: chunked") + b'5\r\n{"tex')
            # The handler waits for the rest of the body before the malformed chunk arrives.
            await asyncio.gather(*(exchange(port_of(served, each), PING) for each in EXPOSERS))
            await connection.send(b"\r\nZZ\r\n")
            received = await connection.read_all()
        assert status_of(received) == 400
        assert received.count(b"HTTP/1.1 ") == 1
        assert b"connection: close" in received.lower()


@pytest.mark.parametrize("namespace", EXPOSERS)
async def test_a_malformed_chunk_after_a_response_closes_the_connection(namespace: str) -> None:
    async with running(document()) as served, connect(port_of(served, namespace)) as connection:
        await connection.send(head(b"POST /nothing/here", b"Transfer-Encoding: chunked") + b'5\r\n{"tex')
        assert status_of(await connection.read_head()) >= 400
        await connection.send(b"\r\nZZ\r\n")
        # Sooner than aiohttp closes connections on which a body still comes.
        assert b"HTTP/1.1" not in await connection.read_all(seconds=5)


@asynccontextmanager
async def held_requests(port: int, count: int, begun: asyncio.Queue[None]) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for _ in range(count):
            connection = await stack.enter_async_context(connect(port))
            await connection.send(b"GET /things/1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await begun.get()
        yield


@asynccontextmanager
async def holding_upstream() -> AsyncIterator[tuple[str, asyncio.Queue[None]]]:
    """Serve an upstream that never responds; the queue has an item for each request."""
    begun: asyncio.Queue[None] = asyncio.Queue()

    async def serve(connection: Connection) -> None:
        await connection.read_request()
        begun.put_nowait(None)
        await connection.reader.read()

    async with raw_upstream(serve) as upstream:
        yield upstream.url, begun


async def test_connections_beyond_the_limit_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    async with holding_upstream() as (url, begun), running(document(url), connection_limit=3) as served:
        port = port_of(served, "rest")
        async with held_requests(port, 3, begun):
            for _ in range(5):
                assert status_of(await exchange(port, PING)) == 503
            assert (
                status_of(
                    await exchange(port_of(served, "control"), b"GET /health/live HTTP/1.1\r\n" + CLOSE + b"\r\n")
                )
                == 200
            )
            lines = [record.getMessage() for record in caplog.records if "--connection-limit" in record.getMessage()]
            assert len(lines) == 1
            assert "refused, too many connections are open" in lines[0]


async def test_idle_connections_make_room_for_new_ones() -> None:
    async with running(document(), connection_limit=3) as served, AsyncExitStack() as stack:
        port = port_of(served, "rest")
        idle = [await stack.enter_async_context(connect(port)) for _ in range(3)]
        for connection in idle[1:]:
            await connection.send(b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await connection.reader.readuntil(b'"pong"')
        assert status_of(await exchange(port, PING)) == 200
        # The silent connection is closed first; the others have sent requests.
        assert await idle[0].read_all() == b""
        await idle[2].send(PING)
        assert status_of(await idle[2].read_all()) == 200


async def test_one_address_does_not_take_all_connections() -> None:
    limits: dict[str, Any] = {"connection_limit": 10, "connection_limit_per_address": 2}
    async with holding_upstream() as (url, begun), running(document(url), **limits) as served:
        port = port_of(served, "rest")
        async with held_requests(port, 2, begun):
            assert status_of(await exchange(port, PING)) == 503
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
            writer.write(PING)
            assert status_of(await reader.read()) == 200
            writer.close()
        async with asyncio.timeout(10):
            # The host notices soon that the connections are closed.
            while status_of(await exchange(port, PING)) == 503:
                pass


async def test_a_trusted_proxy_has_no_limit_of_its_own() -> None:
    limits: dict[str, Any] = {"connection_limit_per_address": 1, "trusted_proxies": ("127.0.0.0/8",)}
    async with holding_upstream() as (url, begun), running(document(url), **limits) as served:
        port = port_of(served, "rest")
        async with held_requests(port, 2, begun):
            assert status_of(await exchange(port, PING)) == 200


def test_addresses_of_one_client_count_as_one() -> None:
    read = address_reader(["10.0.0.0/8", "fd00::/8"])
    assert read("2001:db8::1") == read("2001:db8::2:3") != read("2001:db8:0:1::1")
    assert read("::ffff:192.0.2.1") == read("192.0.2.1") != read("192.0.2.2")
    assert read("10.1.2.3") is read("::ffff:10.1.2.3") is read("fd00::1") is None
    assert read("fe80::1%eth0") == read("fe80::2%eth0")


def _few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


async def test_the_control_port_is_served_when_descriptors_are_used_up(tmp_path: Path) -> None:
    source = orjson.dumps(document()).decode()
    async with host_process(tmp_path, source, prepare=_few_descriptors) as process, AsyncExitStack() as stack:
        port = process.port("rest")
        live = b"GET /health/live HTTP/1.1\r\n" + CLOSE + b"\r\n"
        for number in range(100):
            connection = await stack.enter_async_context(connect(port))
            await connection.send(b"GET /pi")
            if number % 5 == 4:
                assert status_of(await exchange(process.port("control"), live)) == 200
                assert status_of(await exchange(port, PING)) == 200
                assert status_of(await exchange(process.port("skills"), PING)) == 404
        assert await process.terminate() == 0
        assert "ulimit -n" in process.log


async def test_a_body_that_still_comes_at_the_stop_is_served() -> None:
    body = b'{"text": "late"}'
    async with running(document()) as served, connect(port_of(served, "rest")) as connection:
        await connection.send(head(b"POST /echo", b"Content-Length: %d" % len(body), b"Expect: 100-continue"))
        assert status_of(await connection.read_head()) == 100
        await connection.send(body[:5])
        draining = asyncio.create_task(served.host.drain())
        await asyncio.wait({draining}, timeout=0.2)
        assert not draining.done()
        await connection.send(body[5:])
        assert await connection.reader.readuntil(b'"late"')
        await draining


async def test_a_body_that_never_ends_does_not_delay_the_stop_beyond_the_drain_timeout() -> None:
    limits: dict[str, Any] = {"drain_timeout": 0.2, "body_timeout": 60}
    async with running(document(), **limits) as served, connect(port_of(served, "rest")) as connection:
        await connection.send(head(b"POST /echo", b"Content-Length: 100", b"Expect: 100-continue"))
        assert status_of(await connection.read_head()) == 100
        async with asyncio.timeout(10):
            await served.host.drain()
            await served.host.stop()
        assert await connection.read_all() == b""


def test_a_flood_of_events_is_a_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    log = ConnectionLog("127.0.0.1:80")
    with caplog.at_level(logging.INFO, "adapter_host"):
        for number in range(100):
            log.report(CONNECTION_LIMIT, f"192.0.2.{number}")
        assert [record.getMessage().split(" (")[0] for record in caplog.records] == [
            "127.0.0.1:80: 1 connection was refused, too many connections are open"
        ]
        log.flush()
        assert len(caplog.records) == 1, f"a second line within {INTERVAL} s"
        log.flush(force=True)
        assert "99 connections were refused" in caplog.records[1].getMessage()
        assert "(last from 192.0.2.99)" in caplog.records[1].getMessage()
        log.flush(force=True)
        assert len(caplog.records) == 2
