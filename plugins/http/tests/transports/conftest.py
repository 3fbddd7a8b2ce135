"""Raw servers with scripted behaviour, and transports that call them."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from ssl import SSLContext
from typing import Any

import pytest

from adapter_host_http.request.request import Payload, PreparedHeaders, Request
from adapter_host_http.transport.aiohttp import AiohttpTransport
from adapter_host_http.transport.base import Limits, Origin, Response, Transport
from adapter_host_http.transport.native import NativeTransport


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Return the event loops of the host: asyncio, and uvloop if it is installed."""
    uvloop = import_module("uvloop").new_event_loop if find_spec("uvloop") else None
    loops = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop}
    return {name: factory for name, factory in loops.items() if factory is not None}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "smoke(uvloop, aiohttp): run only these parameters on a variant")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all tests with the native transport on asyncio, and fewer cases on the other variants (see `smoke`).

    The variants are the native transport on uvloop and aiohttp on asyncio; aiohttp on uvloop is not our code.
    """
    items[:] = [item for item in items if _is_selected(item)]


def _is_selected(item: pytest.Item) -> bool:
    if "[uvloop-aiohttp" in item.name:
        return False
    marker = item.get_closest_marker("smoke")
    if marker is None or not isinstance(item, pytest.Function):
        return True
    parameters = item.callspec.params
    variant = "uvloop" if "[uvloop" in item.name else str(parameters.get("name"))
    selected = marker.kwargs.get(variant)
    return selected is None or any(value in selected for value in parameters.values())


TRANSPORTS = {"native": NativeTransport, "aiohttp": AiohttpTransport}


class Peer:
    """The server side of a connection; `number` counts connections from 1."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """Return the next request, with its body if it has a Content-Length."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                head += await self.reader.readexactly(int(line.partition(b":")[2]))
        return head

    async def send(self, data: bytes) -> None:
        """Send data in one write."""
        self.writer.write(data)
        await self.writer.drain()

    async def drip(self, data: bytes) -> None:
        """Send data byte by byte, in packets of one byte."""
        for byte in data:
            await self.send(bytes((byte,)))
            await let_loop_run(2)

    def reset(self) -> None:
        """Reset the connection, as the kernel does for a killed server."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def ended(self) -> None:
        """Wait until the other end has closed."""
        with suppress(ConnectionError):
            while await self.reader.read(2**16):
                pass


Handle = Callable[[Peer], Awaitable[None]]


@dataclass
class Server:
    """A server with the requests it received and its number of connections."""

    host: str = "127.0.0.1"
    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    def authority(self, host: str) -> str:
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


async def let_loop_run(count: int) -> None:
    """Run `count` iterations of the event loop."""
    for _ in range(count):
        await asyncio.sleep(0)


def always_respond(response: bytes, *, close: bool = False) -> Handle:
    """Return a handler that responds to every request of a connection, or with `close` to the first only."""

    async def handle(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(response)
            if close:
                return

    return handle


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[Server]]]:
    """Return a function that starts a server with a script for each connection."""
    async with AsyncExitStack() as stack:

        async def serve(handle: Handle, *, context: SSLContext | None = None, host: str = "127.0.0.1") -> Server:
            server = Server(host)

            async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                server.connections += 1
                peer = Peer(server.connections, reader, writer)
                read = peer.request

                async def request() -> bytes:
                    server.requests.append(await read())
                    return server.requests[-1]

                peer.request = request  # type: ignore[method-assign]
                with suppress(asyncio.IncompleteReadError, ConnectionError):
                    await handle(peer)
                writer.close()

            tasks: list[asyncio.Task[None]] = []
            writers: list[asyncio.StreamWriter] = []

            def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writers.append(writer)
                tasks.append(asyncio.create_task(connected(reader, writer)))

            async def end() -> None:
                listening.close()
                for writer in writers:
                    writer.transport.abort()
                for task in tasks:
                    task.cancel()
                for result in await asyncio.gather(*tasks, return_exceptions=True):
                    if isinstance(result, Exception):
                        raise result
                await let_loop_run(2)
                # Python 3.12 and newer wait for every connection, so they have to be aborted before.
                await listening.wait_closed()

            listening = await asyncio.start_server(accept, host, 0, ssl=context)
            stack.push_async_callback(end)
            server.port = listening.sockets[0].getsockname()[1]
            return server

        yield serve


@dataclass
class Client:
    """A transport to one server."""

    transport: Transport

    async def send(
        self,
        method: str = "GET",
        target: str = "/",
        *,
        headers: Mapping[str, str] | None = None,
        body: Payload = None,
        buffer_limit: int = 2**20,
        seconds: float = 20,
        accept_codings: bool = True,
        pass_through: bool = False,
    ) -> Response:
        """Send a request with a timeout of `seconds`."""
        call_headers = {name.lower(): (name, value) for name, value in (headers or {}).items()}
        request = Request(
            target,
            PreparedHeaders((("X-Fixed", "1"),), accept_codings=accept_codings),
            call_headers,
            body,
            pass_through,
        )
        deadline = asyncio.get_running_loop().time() + seconds
        return await self.transport.send(method, request, deadline=deadline, buffer_limit=buffer_limit)

    async def body(self, *args: Any, **kwargs: Any) -> bytes:
        """Return the buffered body of a response."""
        response = await self.send(*args, **kwargs)
        assert response.body is not None
        return response.body


@pytest.fixture(params=TRANSPORTS)
def name(request: pytest.FixtureRequest) -> str:
    """Return the name of each transport in turn."""
    return str(request.param)


@pytest.fixture
async def connect(name: str) -> AsyncIterator[Callable[..., Awaitable[Client]]]:
    """Return a function that opens a transport to a server."""
    async with AsyncExitStack() as stack:

        async def connect(
            server: Server,
            *,
            host: str = "",
            connect_timeout: float = 5,
            idle_timeout: float = 20,
            max_connections: int = 100,
            context: SSLContext | None = None,
            transport: str = name,
        ) -> Client:
            host = host or server.host
            origin = Origin("https" if context else "http", host, server.port, server.authority(host), context)
            opened: Transport = TRANSPORTS[transport](origin, Limits(connect_timeout, idle_timeout, max_connections))
            await opened.open()
            stack.push_async_callback(opened.close)
            return Client(opened)

        yield connect


@pytest.fixture
def known_difference(name: str, request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return a function that marks a known difference of a transport as an expected failure."""

    def known_difference(transport: str, reason: str) -> None:
        if transport == name:
            request.applymarker(pytest.mark.xfail(strict=True, reason=reason))

    return known_difference
