"""Worker processes that run JavaScript, and the pool of them."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson

from adapter_host import StartError, WorkerProcess

_log = logging.getLogger("adapter_host.scripting")

_SCRIPT: Final = Path(__file__).with_name("javascript_worker.py")


class Worker:
    """One worker process."""

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process

    @classmethod
    async def start(cls) -> Worker:
        """Start a process and wait until it is ready; raises `StartError`."""
        return cls(await WorkerProcess.start(_SCRIPT))

    async def request(self, request: bytes, max_bytes: int) -> dict[str, Any]:
        """Send a request and return its response; a missing or too large response is a crash."""
        message = await self._process.exchange((request,), max_bytes)
        response: dict[str, Any] = orjson.loads(message) if message else {"failed": "crash"}
        return response

    async def kill(self) -> None:
        """Kill the process and wait until it has ended."""
        await self._process.kill()


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
