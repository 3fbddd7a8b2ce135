"""Worker processes for conversions: shared by the consumed APIs of a host, and ended when they take too long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import orjson

from adapter_host import Settings, StartError, UnavailableError, WorkerProcess
from adapter_host_http.conversions import worker
from adapter_host_http.conversions.conversion import Conversion
from adapter_host_http.conversions.errors import FormatError, TooLargeError

_LOG: Final = logging.getLogger("adapter_host.http")

MEMORY_LIMIT: Final = 1024 * 1024 * 1024
"""Maximum memory of a worker process in bytes, where the system supports it."""

ABANDONED_GRACE: Final = 1.0
"""Seconds for a conversion whose caller has left: ending a worker costs more than most conversions."""

WARNING_INTERVAL: Final = 10.0
"""Seconds between two warnings about one API."""

_MARGIN: Final = 1024


class ConversionTimeoutError(Exception):
    """A conversion has been ended because it took too long."""


class ConversionPool:
    """Converts large responses in worker processes, which are started on demand.

    One API never has all of them, so that it cannot keep other APIs waiting (unless there is only one).
    """

    def __init__(self, settings: Settings) -> None:
        self._size = settings.conversion_workers
        self._timeout = settings.conversion_timeout
        self._users = 0
        self._idle: list[WorkerProcess] = []
        self._workers: set[WorkerProcess] = set()
        self._jobs: set[_Job] = set()
        self._next_warnings: dict[str, float] = {}

    def open(self) -> None:
        """Count a user; each of them must call `close`."""
        if not self._users:
            # Made here, because each event loop needs its own.
            self._free = asyncio.Semaphore(self._size)
            self._shares: dict[str, asyncio.Semaphore] = {}
        self._users += 1

    async def close(self) -> None:
        """End all processes after the last user has left."""
        self._users -= 1
        if self._users:
            return
        jobs = list(self._jobs)
        for job in jobs:
            job.task.cancel()
        await asyncio.gather(*(job.task for job in jobs), return_exceptions=True)
        self._idle.clear()
        await asyncio.gather(*(process.kill() for process in self._workers))
        self._workers.clear()

    async def convert(self, api: str, conversion: Conversion, body: bytes, charset: str | None, limit: int) -> bytes:
        """Return the data of a response of an API as JSON, of at most `limit` bytes.

        Raise `ValueError`, `ConversionTimeoutError`, or `UnavailableError` if no worker becomes free.
        """
        head = {
            "module": conversion.module,
            "options": conversion.options.decode(),
            "charset": charset,
            "limit": limit,
            "seconds": self._timeout,
            "memory": MEMORY_LIMIT,
        }
        job = _Job(self, api, [orjson.dumps(head), body], limit)
        self._jobs.add(job)
        job.task.add_done_callback(lambda _: self._jobs.discard(job))
        try:
            response = await asyncio.shield(job.task)
        except asyncio.CancelledError:
            job.abandon()
            raise
        except ConversionTimeoutError:
            self._warn(api, f"a conversion of {len(body)} bytes was ended after {self._timeout:g} s")
            raise
        kind, content = response[:1], response[1:]
        if kind == worker.DATA:
            return content
        if kind == worker.TOO_LARGE:
            raise TooLargeError
        if kind == worker.OUT_OF_MEMORY:
            raise FormatError(f"it needs more than {MEMORY_LIMIT >> 20} MiB of memory")
        raise FormatError(content.decode()) if kind == worker.REJECTED else ValueError

    def _warn(self, api: str, message: str) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._next_warnings.get(api, 0.0):
            self._next_warnings[api] = now + WARNING_INTERVAL
            _LOG.warning("upstream '%s': %s", api, message)

    async def run(self, api: str, messages: list[bytes], limit: int, job: _Job) -> bytes:
        """Send messages to a worker and return its response; a worker that was interrupted is killed."""
        async with self._slot(api):
            job.running = True
            process = self._idle.pop() if self._idle else await self._start()
            response = None
            try:
                async with asyncio.timeout(self._timeout):
                    response = await process.exchange(messages, limit + _MARGIN)
            except TimeoutError:
                raise ConversionTimeoutError from None
            finally:
                if response is None:
                    self._workers.discard(process)
                    await asyncio.shield(process.kill())
                else:
                    self._idle.append(process)
            # The system ends a process for its memory, and a parser may crash.
            return worker.OUT_OF_MEMORY if response is None else response

    async def _start(self) -> WorkerProcess:
        try:
            process = await WorkerProcess.start(Path(worker.__file__))
        except StartError as error:
            raise UnavailableError(str(error)) from error
        self._workers.add(process)
        return process

    @asynccontextmanager
    async def _slot(self, api: str) -> AsyncIterator[None]:
        """Reserve a worker, waiting at most for the timeout of a conversion."""
        share = self._shares.setdefault(api, asyncio.Semaphore(max(1, self._size - 1)))
        acquired: list[asyncio.Semaphore] = []
        try:
            try:
                async with asyncio.timeout(self._timeout):
                    for semaphore in (share, self._free):
                        await semaphore.acquire()
                        acquired.append(semaphore)
            except TimeoutError:
                self._warn(api, f"no conversion worker became free within {self._timeout:g} s")
                raise UnavailableError("all conversion workers are busy") from None
            yield
        finally:
            for semaphore in acquired:
                semaphore.release()


class _Job:
    """One conversion, in a task of its own."""

    def __init__(self, pool: ConversionPool, api: str, messages: list[bytes], limit: int) -> None:
        self.running = False
        self.task = asyncio.create_task(pool.run(api, messages, limit, self))
        # Nobody may be left to see its error.
        self.task.add_done_callback(lambda task: task.cancelled() or task.exception())

    def abandon(self) -> None:
        """End the conversion soon, because its caller has left; at once while it waits for a worker."""
        if self.running:
            asyncio.get_running_loop().call_later(ABANDONED_GRACE, self.task.cancel)
        else:
            self.task.cancel()
