"""What a language has to do for scripts, and how a script fails."""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import orjson

from adapter_host import Arguments, OperationError, UnavailableError

from .files import Source

MEMORY_LIMIT: Final = 64 * 1024 * 1024
"""The bytes that the values of one run may take."""

PROCESS_MEMORY_LIMIT: Final = 8 * MEMORY_LIMIT + (1 << 30)
"""The bytes that a process that runs scripts may take, its engine included, where the system can hold it to that."""

WORKER_COUNT: Final = max(2, os.cpu_count() or 1)
"""The processes of one language that run scripts at the same time."""

KILL_GRACE: Final = 1.0
"""Seconds after its time until what runs a script is killed."""

_MAX_MESSAGE_LENGTH: Final = 500


class ScriptError(OperationError):
    """A script failed: of itself, or at a limit. The message names the script, and the line where there is one."""

    title = "Script failed"


class InvalidScriptError(Exception):
    """Something wrong with a script before it has run; `line` and `column` count from 1."""

    def __init__(self, source: Source, message: str, line: int = 1, column: int = 1) -> None:
        self.source, self.line, self.column = source, line, column
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may take: seconds, statements, and bytes of its result."""

    seconds: float
    statements: int
    result_bytes: int


@dataclass(frozen=True, slots=True)
class Program:
    """A script after the files that it depends on, as its language runs it; `sources` are as they were written."""

    sources: tuple[Source, ...]
    texts: tuple[str, ...]

    @property
    def name(self) -> str:
        """The script's."""
        return self.sources[-1].name

    def parse_result(self, text: str | None, limits: Limits) -> Any:
        """The data that a result is as JSON; raises `ScriptError`."""
        if text is None:
            return None
        if len(text) > limits.result_bytes:
            raise self.result_too_large_error(limits)
        try:
            return orjson.loads(text)
        except ValueError as error:
            raise self.error(f"its result is no JSON: {error}") from None

    def error(self, message: str, index: int = -1, line: int | None = None) -> ScriptError:
        """The error for what went wrong in a source."""
        clipped = message if len(message) <= _MAX_MESSAGE_LENGTH else message[: _MAX_MESSAGE_LENGTH - 3] + "..."
        place = f"script '{self.sources[index].name}'" + (f" line {line}" if line else "")
        return ScriptError(f"{place}: {clipped}")

    def timeout_error(self, limits: Limits) -> ScriptError:
        """It ran for too long."""
        return self.error(f"stopped after {round(limits.seconds * 1000)} ms, its timeout")

    def statement_limit_error(self, limits: Limits) -> ScriptError:
        """It did too much."""
        return self.error(f"stopped after {limits.statements} statements, its statementLimit")

    def result_too_large_error(self, limits: Limits) -> ScriptError:
        """What it gives is too much."""
        return self.error(f"its result is larger than {limits.result_bytes} bytes")

    def memory_error(self) -> ScriptError:
        """Its values took too much."""
        return self.error(f"stopped, as it needs more than {MEMORY_LIMIT // (1024 * 1024)} MiB of memory")

    def recursion_error(self) -> ScriptError:
        """It called itself, or nested values, too deep."""
        return self.error("stopped, as it calls or nests too deep")

    def crash_error(self) -> ScriptError:
        """What ran it has ended."""
        return self.error("stopped, as it took down the process that ran it")


class Language(ABC):
    """Compiles and runs the scripts of one language, as many at a time as there are workers."""

    name: ClassVar[str]

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(WORKER_COUNT)
        self._starting = asyncio.Lock()

    @abstractmethod
    def compile(self, sources: Sequence[Source]) -> Program:
        """The program of the sources, the script itself the last; raises `InvalidScriptError`. Runs none of them."""

    @abstractmethod
    async def start(self) -> None:
        """Have what runs scripts at hand; does nothing once that is so."""

    @abstractmethod
    async def stop(self) -> None:
        """End what runs scripts, and so what is still running."""

    @abstractmethod
    async def run(self, program: Program, context: Arguments, limits: Limits) -> Any:
        """What a script gives: plain data, None for nothing. Raises `ScriptError`.

        Whoever is cancelled in it leaves nothing running.
        """

    @asynccontextmanager
    async def worker_slot(self, program: Program, limits: Limits) -> AsyncIterator[None]:
        """Wait until a worker may be free, for as long as a script may run."""
        try:
            async with asyncio.timeout(limits.seconds):
                await self._free.acquire()
        except TimeoutError:
            raise UnavailableError(f"script '{program.name}': all {WORKER_COUNT} workers are busy") from None
        try:
            yield
        finally:
            self._free.release()
