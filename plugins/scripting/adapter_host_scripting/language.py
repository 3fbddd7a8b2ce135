"""Base class of script languages, runs with their limits, and errors of scripts."""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from adapter_host import Arguments, NestingError, OperationError, UnavailableError, parse_json

from .files import Source

MEMORY_LIMIT: Final = 64 * 1024 * 1024
"""Maximum memory of the values of one run, in bytes."""

PROCESS_MEMORY_LIMIT: Final = 8 * MEMORY_LIMIT + (1 << 30)
"""Maximum memory of a worker process, including its engine, in bytes, where the system supports it."""

WORKER_COUNT: Final = max(2, os.cpu_count() or 1)
"""Maximum number of worker processes per language."""

KILL_GRACE: Final = 1.0
"""Seconds between the timeout of a script and killing its worker."""

ABANDONED_GRACE: Final = 1.0
"""Seconds that a script may go on after its caller has left: about the time that the start of a worker takes."""

_MAX_MESSAGE_LENGTH: Final = 500


class ScriptError(OperationError):
    """A script failed or exceeded a limit. The message names the script and, if known, the line."""

    title = "Script failed"


class InvalidScriptError(Exception):
    """A script cannot be compiled; `line` and `column` count from 1."""

    def __init__(self, source: Source, message: str, line: int = 1, column: int = 1) -> None:
        self.source, self.line, self.column = source, line, column
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one run: seconds, statements, and bytes of the result."""

    seconds: float
    statements: int
    result_bytes: int


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled script and its dependencies; `texts` are the instrumented `sources`, the script is last."""

    sources: tuple[Source, ...]
    texts: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the name of the script."""
        return self.sources[-1].name

    def parse_result(self, text: str | None, limits: Limits) -> Any:
        """Parse a result from JSON; raises `ScriptError`."""
        if text is None:
            return None
        if len(text) > limits.result_bytes:
            raise self.result_too_large_error(limits)
        try:
            return parse_json(text)
        except NestingError as error:
            raise self.error(f"the result is {error}") from None
        except ValueError as error:
            raise self.error(f"the result is not JSON: {error}") from None

    def error(self, message: str, index: int = -1, line: int | None = None) -> ScriptError:
        """Return the error for a failure in a source."""
        clipped = message if len(message) <= _MAX_MESSAGE_LENGTH else message[: _MAX_MESSAGE_LENGTH - 3] + "..."
        place = f"script '{self.sources[index].name}'" + (f" line {line}" if line else "")
        return ScriptError(f"{place}: {clipped}")

    def timeout_error(self, limits: Limits) -> ScriptError:
        """Return the error for a timeout."""
        return self.error(f"timeout after {round(limits.seconds * 1000)} ms")

    def statement_limit_error(self, limits: Limits) -> ScriptError:
        """Return the error for too many statements."""
        return self.error(f"statementLimit of {limits.statements} exceeded")

    def result_too_large_error(self, limits: Limits) -> ScriptError:
        """Return the error for a result that is too large."""
        return self.error(f"the result is larger than {limits.result_bytes} bytes")

    def memory_error(self) -> ScriptError:
        """Return the error for too much memory."""
        return self.error(f"memory limit of {MEMORY_LIMIT // (1024 * 1024)} MiB exceeded")

    def recursion_error(self) -> ScriptError:
        """Return the error for too deep recursion or nesting."""
        return self.error("recursion or nesting too deep")

    def crash_error(self) -> ScriptError:
        """Return the error for a worker that has ended."""
        return self.error("the worker process crashed")


class Run:
    """One run of a script, which its caller may abandon."""

    def __init__(self, program: Program, context: Arguments, limits: Limits) -> None:
        self.program = program
        self.context = context
        self.limits = limits
        self.task: asyncio.Task[Any] | None = None
        self._timeout: asyncio.Timeout | None = None

    @asynccontextmanager
    async def time_limit(self) -> AsyncIterator[None]:
        """Cancel the block when it takes too long; raise `ScriptError`."""
        try:
            async with asyncio.timeout(self.limits.seconds + KILL_GRACE) as self._timeout:
                yield
        except TimeoutError:
            raise self.program.timeout_error(self.limits) from None

    def abandon(self) -> None:
        """Shorten the time limit, as nobody waits for the result; end a run that has not begun."""
        if self.task is None or self.task.done():
            return
        end = self._timeout.when() if self._timeout is not None else None
        if self._timeout is None or end is None:
            self.task.cancel()
        elif not self._timeout.expired():
            self._timeout.reschedule(min(end, asyncio.get_running_loop().time() + ABANDONED_GRACE))


class Language(ABC):
    """Compiles and runs scripts of one language, at most `WORKER_COUNT` at a time."""

    name: ClassVar[str]

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(WORKER_COUNT)
        self._starting = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()

    @abstractmethod
    def compile(self, sources: Sequence[Source]) -> Program:
        """Compile sources, of which the script is the last, without running them; raises `InvalidScriptError`."""

    @abstractmethod
    async def start(self) -> None:
        """Start the workers, unless they are started."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop the workers, and all running scripts."""

    @abstractmethod
    async def execute(self, run: Run) -> Any:
        """Execute a run in a worker within its time limit, and return its result; raises `ScriptError`."""

    async def run(self, program: Program, context: Arguments, limits: Limits) -> Any:
        """Run a program and return its result as plain data, None for no result; raises `ScriptError`.

        When it is cancelled, the script goes on for `ABANDONED_GRACE` at most: ending it means to start another worker,
        for which other callers would have to wait.
        """
        await self._reserve_worker(program, limits)
        run = Run(program, context, limits)
        run.task = asyncio.create_task(self.execute(run))
        self._running.add(run.task)
        run.task.add_done_callback(self._finish)
        try:
            await asyncio.wait((run.task,))
        except asyncio.CancelledError:
            run.abandon()
            raise
        if run.task.cancelled():  # the host has stopped
            raise UnavailableError
        return run.task.result()

    async def _reserve_worker(self, program: Program, limits: Limits) -> None:
        """Reserve a worker, waiting at most for the timeout of a script; raises `UnavailableError`."""
        try:
            async with asyncio.timeout(limits.seconds):
                await self._free.acquire()
        except TimeoutError:
            raise UnavailableError(f"script '{program.name}': all {WORKER_COUNT} workers are busy") from None

    def _finish(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        self._free.release()
        if not task.cancelled():
            task.exception()  # nobody retrieves that of an abandoned run

    async def end_runs(self) -> None:
        """Cancel all running scripts, and wait until they have ended."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
