"""HTTP as raw bytes: requests and upstream servers that no library would send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CLOSE = b"Host: localhost\r\nConnection: close\r\n"
"""The headers of a request that is the only one on its connection."""


@dataclass
class Connection:
    """An open connection: to a host, or from one to an upstream."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Send bytes, and wait until the kernel has buffered them."""
        self.writer.write(data)
        await self.writer.drain()

    async def read_head(self) -> bytes:
        """Return a message up to the empty line after its headers."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def read_request(self) -> tuple[bytes, bytes]:
        """Return the head and the body of a request with a `Content-Length`, or with none."""
        head = await self.read_head()
        length = next(
            (line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b"0"
        )
        return head, await self.reader.readexactly(int(length))

    async def read_all(self, seconds: float = 20) -> bytes:
        """Return everything up to the end of the connection; raise `TimeoutError` if it stays open."""
        async with asyncio.timeout(seconds):
            return await self.reader.read()

    def abort(self) -> None:
        """Reset the connection."""
        self.writer.transport.abort()


@asynccontextmanager
async def connect(port: int, *, receive_buffer: int = 2**16) -> AsyncIterator[Connection]:
    """Open a connection to a loopback port."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=receive_buffer)
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


async def exchange(port: int, request: bytes, *, seconds: float = 20) -> bytes:
    """Send a request on a new connection, and return everything up to its end."""
    async with connect(port) as connection:
        await connection.send(request)
        return await connection.read_all(seconds)


def status_of(response: bytes) -> int:
    """Return the status of a response, or 0 if it is none."""
    return int(response[9:12]) if response.startswith(b"HTTP/1.") else 0


@dataclass
class RawUpstream:
    """A server on loopback that serves connections with a coroutine."""

    port: int = 0
    connections: list[Connection] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def raw_upstream(serve: Callable[[Connection], Awaitable[None]]) -> AsyncIterator[RawUpstream]:
    """Serve every connection with a coroutine; raise its exceptions, except after the client has disconnected."""
    upstream = RawUpstream()
    tasks: list[asyncio.Task[None]] = []

    async def run(connection: Connection) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await serve(connection)
        connection.writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
        upstream.connections.append(connection)
        tasks.append(asyncio.create_task(run(connection)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        for connection in upstream.connections:
            connection.abort()
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


def response(body: bytes = b"{}", *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """Return a response of JSON, with further headers."""
    lines = [b"Content-Type: application/json", b"Content-Length: %d" % len(body), *headers]
    return b"HTTP/1.1 %b\r\n%b\r\n\r\n%b" % (status, b"\r\n".join(lines), body)
