"""Exposers with sockets of the host, for each way to serve one, and a client: lines `NAME` and lines of JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from adapter_host import (
    BuildContext,
    Exposer,
    ListeningConfig,
    OperationError,
    Operations,
    OperationSpec,
    Plugins,
    RegisterExposer,
    hookimpl,
)
from adapter_host.testing import FakePlugin
from tests.support.adapters import PlainPlugin


class LineConfig(ListeningConfig):
    """An entry with operations in a list."""

    operations: tuple[OperationSpec, ...] = ()


class LineExposer(Exposer[LineConfig]):
    """The base: responds to a line by the data of a call without arguments."""

    config_class = LineConfig

    def __init__(self, config: LineConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self.socket = context.listen(self, scheme="lines")
        self.by_name = {operation.name: operation for operation in operations.values()}

    async def respond(self, line: bytes) -> bytes:
        """Return the response to a line."""
        operation = self.by_name.get(line.decode().strip())
        try:
            response: Any = None if operation is None else (await operation.call({})).data
        except OperationError as error:
            response = {"error": error.message}
        return json.dumps(response).encode() + b"\n"


class StreamExposer(LineExposer):
    """Serves streams of asyncio."""

    async def start(self) -> None:
        await self.socket.serve_streams(self._serve, marks_requests=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            with self.socket.request(writer) as exposer:
                writer.write(await exposer.respond(line))
                await writer.drain()


class LineProtocol(asyncio.Protocol):
    """Serves one connection; each line in a task, one after another."""

    def __init__(self, exposer: LineExposer) -> None:
        self.exposer = exposer
        self.buffer = b""
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            self.task = asyncio.get_running_loop().create_task(self._respond(line, self.task))

    async def _respond(self, line: bytes, before: asyncio.Task[None] | None) -> None:
        with self.exposer.socket.request(self.transport) as exposer:
            if before is not None:
                await before
            self.transport.write(await exposer.respond(line))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.task is not None:
            self.task.cancel()


class BufferedLineProtocol(asyncio.BufferedProtocol):
    """The same with a buffer of its own."""

    def __init__(self, exposer: LineExposer) -> None:
        self.inner = LineProtocol(exposer)
        self.space = bytearray(16)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.inner.connection_made(transport)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.space

    def buffer_updated(self, nbytes: int) -> None:
        self.inner.data_received(bytes(self.space[:nbytes]))

    def connection_lost(self, exc: Exception | None) -> None:
        self.inner.connection_lost(exc)


class ProtocolExposer(LineExposer):
    """Serves protocols of asyncio."""

    async def start(self) -> None:
        await self.socket.serve(lambda: LineProtocol(self), marks_requests=True)


class BufferedExposer(LineExposer):
    """Serves buffered protocols of asyncio."""

    async def start(self) -> None:
        await self.socket.serve(lambda: BufferedLineProtocol(self), marks_requests=True)


class OwnServerExposer(LineExposer):
    """Runs a server of its own on a duplicate of the socket.

    Its protocol cannot tell clients to reconnect, so it closes connections only after the response to a request.
    """

    async def start(self) -> None:
        self.draining = False
        self.tasks: set[asyncio.Task[None]] = set()
        self.used: set[asyncio.StreamWriter] = set()
        self.server = await asyncio.start_server(self._accept, sock=self.socket.duplicate())

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self.used.discard(writer)
                with self.socket.request() as exposer:
                    writer.write(await exposer.respond(line))
                self.used.add(writer)
                if self.draining:
                    return
        finally:
            self.used.discard(writer)
            writer.close()

    async def drain(self) -> None:
        self.draining = True
        self.server.close()
        for writer in self.used:
            writer.close()
        while self.tasks:
            await asyncio.wait(self.tasks)

    async def stop(self) -> None:
        self.server.close()
        for task in self.tasks:
            task.cancel()


class ForgetfulExposer(LineExposer):
    """Does not serve its socket."""


class ExclusiveStreamExposer(StreamExposer):
    """Serves streams; a reload stops the old one first."""

    exclusive = True


class ExclusiveServerExposer(OwnServerExposer):
    """Runs a server of its own; a reload stops the old one first."""

    exclusive = True


class LinesPlugin:
    """The plugin of `streams`, `protocols`, `buffered`, `own-server`, `forgetful`, and of exclusive ones."""

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("streams", StreamExposer)
        register("protocols", ProtocolExposer)
        register("buffered", BufferedExposer)
        register("own-server", OwnServerExposer)
        register("forgetful", ForgetfulExposer)
        register("exclusive-streams", ExclusiveStreamExposer)
        register("exclusive-own-server", ExclusiveServerExposer)


def line_plugins(**more: object) -> Plugins:
    """Return plugins with these exposers, `type: plain` and `type: fake`."""
    return Plugins({"fake": FakePlugin(), "plain": PlainPlugin(), "lines": LinesPlugin(), **more})


class LineClient:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, name: str = "get") -> Any:
        """Send a line and return the response; raise `ConnectionError` if the connection is closed instead."""
        self.writer.write(f"{name}\n".encode())
        line = await self.reader.readline()
        if not line.endswith(b"\n"):
            raise ConnectionResetError("closed without a response")
        return json.loads(line)


@asynccontextmanager
async def connected(url: str | None) -> AsyncIterator[LineClient]:
    """Connect to a URL of the host."""
    parts = urlsplit(url or "")
    if parts.scheme == "unix":
        reader, writer = await asyncio.open_unix_connection(parts.path)
    else:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield LineClient(reader, writer)
    finally:
        writer.close()
