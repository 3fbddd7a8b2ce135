"""The stdio transport: one client, one JSON-RPC message per line."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from mcp_types import (
    INVALID_REQUEST,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from adapter_host import DaemonThreads

from .decoding import decode_body

log = logging.getLogger("adapter_host.mcp")

_CHUNK: Final = 64 * 1024
_READ_AHEAD: Final = 16
"""Maximum number of chunks read ahead of processing."""


@contextmanager
def claim_stdio() -> Iterator[tuple[int, int]]:
    """Reserve standard input and output for the client; other output goes to standard error."""
    sys.stdout.flush()
    source, sink, devnull = os.dup(0), os.dup(1), os.open(os.devnull, os.O_RDONLY)
    os.dup2(devnull, 0)
    os.close(devnull)
    os.dup2(2, 1)
    try:
        # The copies stay open: a thread may still read from one, and must not read from a reused descriptor.
        yield source, sink
    finally:
        sys.stdout.flush()
        os.dup2(source, 0)
        os.dup2(sink, 1)


async def serve(server: Server[None], source: int, sink: int, limit: int) -> None:
    """Serve one client until its input ends and all its requests have responses."""
    read_in, read_out = anyio.create_memory_object_stream[SessionMessage | Exception]()
    write_in, write_out = anyio.create_memory_object_stream[SessionMessage]()
    async with anyio.create_task_group() as tasks:
        client = _Client(source, sink, limit, tasks.cancel_scope)
        tasks.start_soon(client.receive, read_in)
        tasks.start_soon(client.send, write_out)
        # Changes of lists are not sent over stdio, so they are not advertised.
        options = server.create_initialization_options(NotificationOptions())
        await server.run(read_out, write_in, options)


class _Client:
    """The client at the other end of two file descriptors; `scope` is cancelled when it disconnects."""

    def __init__(self, source: int, sink: int, limit: int, scope: anyio.CancelScope) -> None:
        self._chunks = _InputReader(source)
        self._sink = sink
        # A client that does not read must not delay the end of the process.
        self._output = DaemonThreads(1)
        self._limit = limit
        self._scope = scope
        self._writing = asyncio.Lock()
        self._in_progress: set[str] = set()
        self._request_done = asyncio.Event()

    async def receive(self, stream: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        async with stream:
            async for line in self._lines():
                try:
                    message = self._parse(line)
                except MCPError as error:
                    await self._write(JSONRPCError(jsonrpc="2.0", id=None, error=error.error))
                else:
                    self._track(message)
                    await stream.send(SessionMessage(message))
            # The SDK cancels requests in progress when the input ends; piped requests need their responses.
            while self._in_progress:
                self._request_done.clear()
                await self._request_done.wait()

    def _parse(self, line: bytes | None) -> JSONRPCMessage:
        if line is None:
            raise MCPError(INVALID_REQUEST, f"the message exceeds {self._limit} bytes")
        decoded = decode_body(line)
        try:
            return jsonrpc_message_adapter.validate_python(decoded, by_name=False)
        except ValidationError:
            raise MCPError(INVALID_REQUEST, "the line must be a single JSON-RPC message") from None

    def _track(self, message: JSONRPCMessage) -> None:
        if isinstance(message, JSONRPCRequest):
            self._in_progress.add(str(message.id))
        elif isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
            # A cancelled request gets no response.
            self._mark_done((message.params or {}).get("requestId"))

    def _mark_done(self, request_id: RequestId | None) -> None:
        self._in_progress.discard(str(request_id))
        self._request_done.set()

    async def _lines(self) -> AsyncIterator[bytes | None]:
        """Yield the lines that are not empty, and None for a line that is too long."""
        line, too_large = bytearray(), False
        async for chunk in self._chunks:
            first, *others = chunk.split(b"\n")
            line += first
            for other in others:
                if too_large or line.strip():
                    yield None if too_large or len(line) > self._limit else bytes(line)
                line[:], too_large = other, False
            if len(line) > self._limit:
                line.clear()
                too_large = True
        if too_large or line.strip():
            yield None if too_large else bytes(line)

    async def send(self, stream: MemoryObjectReceiveStream[SessionMessage]) -> None:
        async with stream:
            async for outgoing in stream:
                await self._write(outgoing.message)
                if isinstance(outgoing.message, JSONRPCResponse | JSONRPCError):
                    self._mark_done(outgoing.message.id)

    async def _write(self, message: JSONRPCMessage) -> None:
        data = message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
        try:
            async with self._writing:
                await self._output.run(_write, self._sink, data)
        except OSError as error:
            log.info("client disconnected: %s", error.strerror)
            self._scope.cancel()


class _InputReader:
    """Reads a file descriptor in a daemon thread, which does not block the exit of the process."""

    def __init__(self, source: int) -> None:
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._capacity = threading.Semaphore(_READ_AHEAD)
        threading.Thread(target=self._read_loop, name="standard input", daemon=True).start()

    def _read_loop(self) -> None:
        chunk = b"more"
        # The event loop may be closed already.
        with suppress(RuntimeError):
            while chunk:
                self._capacity.acquire()
                try:
                    chunk = os.read(self._source, _CHUNK)
                except OSError:
                    chunk = b""
                self._loop.call_soon_threadsafe(self._queue.put_nowait, chunk)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self._queue.get():
            self._capacity.release()
            yield chunk


def _write(sink: int, data: bytes) -> None:
    remaining = memoryview(data)
    while remaining:
        remaining = remaining[os.write(sink, remaining) :]
