"""Worker processes for work that cannot be interrupted: they do not inherit the host's environment."""

from __future__ import annotations

import asyncio
import os
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from .errors import StartError

START_TIMEOUT: Final = 60.0

_LENGTH: Final = struct.Struct(">I")
_READ_AHEAD: Final = 1024 * 1024


class WorkerProcess:
    """A Python process that reads messages from standard input and writes messages to standard output.

    Before each message is its length: 4 bytes, big-endian. When the process is ready, it writes an empty message.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, file: str | Path) -> WorkerProcess:
        """Run a file and wait until it is ready; raise `StartError`."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-s", str(file)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=worker_environment(),
            limit=_READ_AHEAD,
        )
        worker = cls(process)
        try:
            async with asyncio.timeout(START_TIMEOUT):
                ready = await worker._read(0)
        except TimeoutError:
            ready = None
        except BaseException:
            await asyncio.shield(worker.kill())
            raise
        if ready is None:
            await worker.kill()
            raise StartError(f"the worker process {Path(file).stem} does not start")
        return worker

    async def exchange(self, messages: Sequence[bytes], limit: int) -> bytes | None:
        """Send messages and return the next one; None if the process ends, or if it is longer than `limit` bytes.

        After None, and when this is cancelled, kill the process.
        """
        assert self._process.stdin is not None
        with suppress(ConnectionError):
            for message in messages:
                self._process.stdin.write(_LENGTH.pack(len(message)))
                self._process.stdin.write(message)
            await self._process.stdin.drain()
        return await self._read(limit)

    async def _read(self, limit: int) -> bytes | None:
        assert self._process.stdout is not None
        try:
            (length,) = _LENGTH.unpack(await self._process.stdout.readexactly(_LENGTH.size))
            return await self._process.stdout.readexactly(length) if length <= limit else None
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def kill(self) -> None:
        """Kill the process and wait until it has ended."""
        with suppress(ProcessLookupError):
            self._process.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


def worker_environment() -> dict[str, str]:
    """Return environment variables with the module search path only."""
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    # Windows cannot start processes without it.
    return environment | {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
