"""An MCP server as a process: messages are lines of its standard input and output."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client import Transport
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from adapter_host import UpstreamError, UpstreamUnreachableError

from .failures import too_large

log = logging.getLogger("adapter_host.mcp")

GRACE: Final = 2.0
"""Seconds for a process to end by itself after its standard input is closed, and again after SIGTERM."""

KEPT_LINES: Final = 10
"""Lines of standard error that explain why a process does not start."""

_LOG_LINE: Final = 64 * 1024

_Incoming = MemoryObjectSendStream[SessionMessage | Exception]
_Outgoing = MemoryObjectReceiveStream[SessionMessage]


@dataclass(frozen=True, slots=True)
class StdioEndpoint:
    """A command with exactly the environment that it gets; `response_limit` is the longest message, in bytes.

    `mask` removes secrets from what the process writes to standard error, which is logged. `lost` is set when the
    connection has ended, and `failures` has the reason if it is a message. `last_lines` are those of standard error.
    """

    command: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    folder: str
    response_limit: int
    mask: Callable[[str], str]
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    failures: list[UpstreamError] = field(default_factory=list)
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))

    def open(self) -> Transport:
        """Return the transport of a new process."""
        return self._open()  # type: ignore[return-value]

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[object]:
        self.lost.clear()
        self.failures.clear()
        self.last_lines.clear()
        process = await self._start()
        incoming, read_stream = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        write_stream, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
        logging_task = asyncio.create_task(self._log(process))
        tasks = [asyncio.create_task(self._read(process, incoming)), asyncio.create_task(_write(process, outgoing))]
        try:
            yield read_stream, write_stream
        finally:
            # Complete even if the task is cancelled: a process must not stay.
            await asyncio.shield(_stop(process, logging_task, tasks))
            for stream in (incoming, read_stream, write_stream, outgoing):
                stream.close()

    async def _start(self) -> asyncio.subprocess.Process:
        path = self.environment.get("PATH") or os.environ.get("PATH")
        program = shutil.which(self.command, path=path)
        if program is None:
            raise UpstreamUnreachableError("the command of the MCP server does not exist")
        try:
            return await asyncio.create_subprocess_exec(
                program,
                *self.arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=dict(self.environment),
                cwd=self.folder,
                limit=self.response_limit,
                start_new_session=True,
            )
        except OSError as error:
            raise UpstreamUnreachableError(f"the MCP server does not start: {error.strerror}") from error

    async def _read(self, process: asyncio.subprocess.Process, incoming: _Incoming) -> None:
        assert process.stdout is not None
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            try:
                while line := await process.stdout.readline():
                    await incoming.send(_parse(line))
            except ValueError:
                # The rest of the line cannot be told from other messages.
                self.failures.append(too_large(self.response_limit))
            finally:
                self.lost.set()
                incoming.close()

    async def _log(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while text := await process.stderr.read(_LOG_LINE):
            for line in text.decode(errors="replace").splitlines():
                self.last_lines.append(self.mask(line))
                log.info("%s: %s", self.command, self.last_lines[-1])


def _parse(line: bytes) -> SessionMessage | Exception:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:
        return error


async def _write(process: asyncio.subprocess.Process, outgoing: _Outgoing) -> None:
    assert process.stdin is not None
    with suppress(ConnectionError):
        async for message in outgoing:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            process.stdin.write(text.encode() + b"\n")
            await process.stdin.drain()


async def _stop(
    process: asyncio.subprocess.Process, logging_task: asyncio.Task[None], tasks: list[asyncio.Task[None]]
) -> None:
    """Close standard input, wait, and end the process with its children."""
    assert process.stdin is not None
    process.stdin.close()
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            async with asyncio.timeout(GRACE):
                await process.wait()
        except TimeoutError:
            _signal_group(process, number)
    # Children may live on after the process, with its pipes open.
    _signal_group(process, signal.SIGKILL)
    await process.wait()
    # The last lines of standard error may explain the end of the process.
    await asyncio.wait([logging_task], timeout=GRACE)
    for task in (logging_task, *tasks):
        task.cancel()
    await asyncio.gather(logging_task, *tasks, return_exceptions=True)


def _signal_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
