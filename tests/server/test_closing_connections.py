"""Connections that are opened at the moment when their server closes: each one is closed too, and none is lost."""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest

from adapter_host import Settings
from adapter_host.operation.limiter import InFlightCounter
from adapter_host.plugin.listening import Line, Serving
from adapter_host.server.connection.close_server import close_server_soon
from adapter_host.server.connection.connections import Connections
from adapter_host.server.connection.handshake import TlsServer
from adapter_host.server.connection.socket_connection import PlainSocketConnection
from tests.support.certificates import AUTHORITY

TURNS = range(7)


def listen() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def connections() -> Connections:
    return Connections(Settings(environment={}), "test", monitors_host=False)


async def let_run(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def ends(client: socket.socket) -> bool:
    """Return whether the server closes the connection; garbage collection would close it too, with a warning."""
    client.setblocking(False)
    async with asyncio.timeout(20):
        try:
            return await asyncio.get_running_loop().sock_recv(client, 10) == b""
        except ConnectionError:
            return True


@pytest.fixture(scope="module")
def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("localhost").configure_cert(context)
    return context


@pytest.mark.parametrize("turns", TURNS)
async def test_a_handshake_that_is_stopped(turns: int, server_context: ssl.SSLContext) -> None:
    listening = listen()
    server = TlsServer(lambda: server_context, connections(), asyncio.Protocol)
    server.start(listening)
    with socket.create_connection(listening.getsockname()) as client:
        await let_run(turns)
        await server.stop()
        assert not server.handshakes
        assert await ends(client)


@pytest.mark.parametrize("turns", TURNS)
async def test_a_handshake_completes_after_the_server_accepts_no_more(
    turns: int, server_context: ssl.SSLContext
) -> None:
    class Greeting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            transport.write(b"!")
            transport.close()

    listening = listen()
    server = TlsServer(lambda: server_context, connections(), Greeting)
    server.start(listening)
    with socket.create_connection(listening.getsockname()) as client:
        await let_run(turns)
        server.close()
        context = ssl.create_default_context(cadata=AUTHORITY.cert_pem.bytes().decode())
        reader, writer = await asyncio.open_connection(sock=client.dup(), ssl=context, server_hostname="localhost")
        assert await reader.read() == b"!"
        writer.close()
        await writer.wait_closed()
    await server.stop()


@pytest.mark.parametrize("turns", TURNS)
async def test_a_server_that_closes_soon(turns: int) -> None:
    class Closing(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            transport.close()

    server = await asyncio.get_running_loop().create_server(Closing, "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()) as client:
        await let_run(turns)
        close_server_soon(server)
        assert await ends(client)
        await let_run(1)
        assert not server.is_serving()


async def test_a_client_that_ignores_the_end_of_tls(server_context: ssl.SSLContext) -> None:
    class Ending(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            transport.close()

    opened: list[PlainSocketConnection] = []
    line = Line(Serving(None, InFlightCounter()), Ending)

    def accept() -> PlainSocketConnection:
        opened.append(PlainSocketConnection(Ending(), line, connections(), lambda *_: None))
        return opened[-1]

    listening = listen()
    server = TlsServer(lambda: server_context, connections(), accept)
    server.start(listening)
    context = ssl.create_default_context(cadata=AUTHORITY.cert_pem.bytes().decode())
    _, writer = await asyncio.open_connection(*listening.getsockname(), ssl=context, server_hostname="localhost")
    assert isinstance(writer.transport, asyncio.Transport)
    writer.transport.pause_reading()
    await server.stop()
    await opened[0].close()
    assert opened[0].closed.is_set()
    writer.transport.abort()
    await let_run(3)
