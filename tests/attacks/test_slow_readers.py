"""Attacks by clients that do not read: their responses end, and healthy streams continue."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapter_host import Host, Settings, attach
from adapter_host.testing import Running, running
from tests.support.raw_http import CLOSE, Connection, connect, exchange, raw_upstream, status_of
from tests.support.slow_clients import document, endless_upstream, unread

TRANSPORTS = ("native", "aiohttp")

SHORT: dict[str, Any] = {"send_timeout": 0.1, "header_timeout": 0.1, "body_timeout": 0.1, "keep_alive_timeout": 0.1}

SMALL = b"GET /things/small HTTP/1.1\r\n" + CLOSE + b"\r\n"


def port_of(served: Running, namespace: str = "rest") -> int:
    return int(served.url(namespace).split(":")[2].split("/")[0])


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("path", [b"/things/big", b"/forward/things/big"], ids=["call", "forward"])
async def test_a_client_that_does_not_read_loses_its_upstream_connection(path: bytes, transport: str) -> None:
    async with AsyncExitStack() as stack:
        upstream, events = await stack.enter_async_context(endless_upstream())
        source = document(upstream.url, consumer={"x-transport": transport})
        served = await stack.enter_async_context(running(source, send_timeout=0.2))
        async with unread(port_of(served), path), asyncio.timeout(20):
            assert await events.get() == "begun"
            assert await events.get() == "ended"
        assert served.host.calls == 0


async def test_clients_that_do_not_read_do_not_take_an_upstream_away(caplog: pytest.LogCaptureFixture) -> None:
    consumer = {"x-timeout": {"connect": 20, "total": 20}}
    async with endless_upstream() as (upstream, events), AsyncExitStack() as stack:
        served = await stack.enter_async_context(
            running(document(upstream.url, consumer=consumer), send_timeout=0.2, connection_limit=0)
        )
        for _ in range(100):
            await stack.enter_async_context(unread(port_of(served), b"/things/big"))
        assert await events.get() == "begun"
        assert status_of(await exchange(port_of(served), SMALL)) == 200
    assert "did not read the response" in caplog.text
    assert "--send-timeout" in caplog.text
    assert len([record for record in caplog.records if "did not read" in record.getMessage()]) <= 2


async def test_a_client_that_reads_too_slowly_is_disconnected() -> None:
    limits: dict[str, Any] = {"send_timeout": 0.3, "minimum_rate": 10**9}
    loop = asyncio.get_running_loop()
    async with (
        endless_upstream() as (upstream, events),
        running(document(upstream.url), **limits) as served,
        asyncio.timeout(20),
    ):
        with socket.create_connection(("127.0.0.1", port_of(served))) as client:
            client.setblocking(False)
            await loop.sock_sendall(client, b"GET /things/big HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while events.empty() or await events.get() != "ended":
                with suppress(ConnectionResetError):
                    assert await loop.sock_recv(client, 100)
                await _pause()


async def test_a_slow_client_above_the_minimum_rate_receives_everything() -> None:
    size = 8 * 2**20

    async def serve(upstream: Connection) -> None:
        await upstream.read_request()
        await upstream.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n")
        await upstream.send(b"Content-Length: %d\r\n\r\n%b" % (size, bytes(size)))

    limits: dict[str, Any] = {"send_timeout": 0.8, "minimum_rate": 1}
    async with (
        raw_upstream(serve) as upstream,
        running(document(upstream.url), **limits) as served,
        unread(port_of(served), b"/things/1") as connection,
    ):
        received = 0
        while received < size:
            received += await _read_some(connection)


async def _read_some(connection: Connection) -> int:
    """Read the data that has arrived, at most 64 KiB, and then nothing for a moment."""
    connection.writer.transport.resume_reading()  # type: ignore[attr-defined]
    data = await connection.reader.read(2**16)
    connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await _pause()
    return len(data)


async def _pause() -> None:
    """Let the time of a few packets pass."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()


async def test_pipelined_requests_without_a_reader_end() -> None:
    async with running(document(), send_timeout=0.2) as served, connect(port_of(served)) as connection:
        with pytest.raises(ConnectionError):
            await _send_without_reading(connection, b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)


async def _send_without_reading(connection: Connection, data: bytes) -> None:
    connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
    async with asyncio.timeout(20):
        while True:
            await connection.send(data)


async def test_an_idle_forwarded_stream_continues() -> None:
    go_on = asyncio.Event()

    async def serve(upstream: Connection) -> None:
        await upstream.read_request()
        await upstream.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: 1\n\n"
        )
        await go_on.wait()
        await upstream.send(b"data: 2\n\n")

    async with (
        raw_upstream(serve) as upstream,
        running(document(upstream.url), **SHORT) as served,
        connect(port_of(served)) as connection,
    ):
        await connection.send(b"GET /forward/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await connection.reader.readuntil(b"data: 1\n\n")
        await _nothing_arrives(connection)
        go_on.set()
        await connection.reader.readuntil(b"data: 2\n\n")


async def test_an_idle_mcp_stream_continues() -> None:
    async with running(document(), **SHORT) as served, connect(port_of(served, "tools")) as connection:
        session = await _open_session(port_of(served, "tools"))
        await connection.send(
            b"GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nMcp-Session-Id: %b\r\n\r\n" % session
        )
        assert status_of(await connection.read_head()) == 200
        await connection.reader.readuntil(b"\n\n")
        await _nothing_arrives(connection)
        await served.host.reload()
        assert b"list_changed" in await connection.reader.readuntil(b"list_changed")


async def test_an_idle_log_stream_continues() -> None:
    async with running(document(), **SHORT) as served, connect(port_of(served, "control")) as connection:
        await connection.send(b"GET /logs/stream?level=error HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await connection.reader.readuntil(b": connected\n\n")
        await _nothing_arrives(connection)
        await served.host.drain()
        assert await connection.reader.readuntil(b"event: end")


async def _nothing_arrives(connection: Connection) -> None:
    """Wait for several of the time limits, and check that the connection is open and silent."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.6):
            await connection.reader.readuntil(b"data: ")


async def _open_session(port: int) -> bytes:
    body = (
        b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},'
        b'"clientInfo":{"name":"test","version":"1"}}}'
    )
    request = b"POST /mcp HTTP/1.1\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
    received = await exchange(port, request + CLOSE + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    return next(
        line.partition(b": ")[2] for line in received.split(b"\r\n") if line.lower().startswith(b"mcp-session-id:")
    )


async def test_a_client_of_an_outer_application_that_does_not_read_is_disconnected() -> None:
    async with endless_upstream() as (upstream, events):
        app = web.Application()
        host = Host(document(upstream.url), settings=Settings(send_timeout=0.2, environment={}))
        attach(app, host)
        async with TestServer(app) as server:
            assert server.port is not None
            async with unread(server.port, b"/rest/things/big"), asyncio.timeout(20):
                assert await events.get() == "begun"
                assert await events.get() == "ended"


ECHO: list[dict[str, Any]] = [
    {
        "type": "echo",
        "namespace": "lines",
        "port": 0,
        "operations": [{"name": "hello", "outputParameters": [{"type": "string", "value": "hello " * 10_000}]}],
    }
]


@pytest.mark.parametrize("sent", [b"", b"hel", b"hello\nhel"])
async def test_an_incomplete_line_of_the_echo_protocol_ends(sent: bytes) -> None:
    limits: dict[str, Any] = {"header_timeout": 0.1, "keep_alive_timeout": 0.1}
    async with running(document(exposes=ECHO), **limits) as served, connect(port_of(served, "lines")) as connection:
        await connection.send(sent)
        with suppress(ConnectionResetError):
            await connection.read_all()
        assert connection.reader.at_eof() or connection.reader.exception()


async def test_a_client_of_the_echo_protocol_that_does_not_read_ends() -> None:
    limits: dict[str, Any] = {"send_timeout": 0.2}
    async with running(document(exposes=ECHO), **limits) as served, connect(port_of(served, "lines")) as connection:
        with pytest.raises(ConnectionError):
            await _send_without_reading(connection, b"hello\n" * 100)


async def test_the_echo_protocol_has_a_limit_of_connections(caplog: pytest.LogCaptureFixture) -> None:
    async with running(document(exposes=ECHO), connection_limit=2) as served, AsyncExitStack() as stack:
        port = port_of(served, "lines")
        connections = [await stack.enter_async_context(connect(port)) for _ in range(4)]
        # The idle ones make room.
        for connection in connections[:2]:
            assert await connection.read_all() == b""
        for connection in connections[2:]:
            await connection.send(b"hello\n")
            assert await connection.reader.readline()
        assert caplog.text.count("--connection-limit") == 1
