"""Worker processes that run JavaScript, and the pool of them."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

import orjson

from adapter_host import StartError, worker_environment

from .processes import worker_command

_log = logging.getLogger("adapter_host.scripting")

_LENGTH_PREFIX: Final = struct.Struct(">I")
_START_TIMEOUT: Final = 60.0


class Worker:
    """One worker process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls) -> Worker:
        """Start a process and wait until it is ready; raises `StartError`."""
        process = await asyncio.create_subprocess_exec(
            *worker_command("javascript_worker.py"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=worker_environment(),
        )
        worker = cls(process)
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                ready = await worker.read_response(1024)
        except TimeoutError:
            ready = None
        except BaseException:
            await asyncio.shield(worker.kill())
            raise
        if ready is None:
            await worker.kill()
            raise StartError("the JavaScript worker process does not start")
        return worker

    async def request(self, request: bytes, max_bytes: int) -> dict[str, Any]:
        """Send a request and return its response; a missing or too large response is a crash."""
        assert self._process.stdin is not None
        with suppress(ConnectionError):
            self._process.stdin.write(_LENGTH_PREFIX.pack(len(request)) + request)
            await self._process.stdin.drain()
        return await self.read_response(max_bytes) or {"failed": "crash"}

    async def read_response(self, max_bytes: int) -> dict[str, Any] | None:
        """Return the next response; None if there is none, or if it exceeds `max_bytes`."""
        assert self._process.stdout is not None
        try:
            (length,) = _LENGTH_PREFIX.unpack(await self._process.stdout.readexactly(_LENGTH_PREFIX.size))
            if length > max_bytes:
                return None
            response: dict[str, Any] = orjson.loads(await self._process.stdout.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            return None
        return response

    async def kill(self) -> None:
        """Kill the process and wait until it has ended."""
        with suppress(ProcessLookupError):
            self._process.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


class WorkerPool:
    """Started workers, and those that are starting.

    A start belongs to no caller: it goes on when the caller that needs the worker leaves, and serves the next one.
    """

    def __init__(self) -> None:
        self._open = False
        self._idle: list[Worker] = []
        self._workers: set[Worker] = set()
        self._waiting: deque[asyncio.Future[Worker]] = deque()
        self._starts: set[asyncio.Task[None]] = set()
        self._kills: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Start a worker, unless the pool is open; raises `StartError`."""
        if not self._open:
            self._open = True
            self.put_back(await self.take())

    async def close(self) -> None:
        """Kill every worker."""
        self._open = False
        self._idle.clear()
        for start in self._starts:
            start.cancel()
        for worker in list(self._workers):
            self.discard(worker)
        await asyncio.gather(*self._starts, *self._kills, return_exceptions=True)

    async def take(self) -> Worker:
        """Return an idle worker, or the next one that is free or started; raises `StartError`."""
        if self._idle:
            return self._idle.pop()
        waiter: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        if len(self._starts) < len(self._waiting):
            self._start()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.put_back(waiter.result())
            raise
        finally:
            with suppress(ValueError):
                self._waiting.remove(waiter)

    def put_back(self, worker: Worker) -> None:
        """Make a worker available for another script."""
        if worker not in self._workers:
            return
        if waiter := self._next_waiter():
            waiter.set_result(worker)
        else:
            self._idle.append(worker)

    def discard(self, worker: Worker) -> None:
        """Kill a worker, and start another at once, so that no caller has to wait for all of the start."""
        self._workers.discard(worker)
        _run_in_background(worker.kill(), self._kills)
        if self._open:
            self._start()

    def _start(self) -> None:
        _run_in_background(self._start_worker(), self._starts)

    async def _start_worker(self) -> None:
        try:
            worker = await Worker.start()
        except StartError as error:
            if waiter := self._next_waiter():
                waiter.set_exception(error)
            else:
                _log.warning("%s", error)
            return
        self._workers.add(worker)
        self.put_back(worker)

    def _next_waiter(self) -> asyncio.Future[Worker] | None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                return waiter
        return None


def _run_in_background(work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
