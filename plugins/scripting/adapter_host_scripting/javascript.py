"""JavaScript: QuickJS in WebAssembly, in worker processes that are killed on timeout."""

from __future__ import annotations

import asyncio
import logging
import re
import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import orjson
from quickjs_rs import JSError, QuickJSError, Runtime, SourceTransform

from adapter_host import Arguments, StartError, UnavailableError

from .files import Source
from .instrumentation import COUNT_FUNCTION
from .javascript_syntax import Syntax
from .language import (
    KILL_GRACE,
    MEMORY_LIMIT,
    PROCESS_MEMORY_LIMIT,
    InvalidScriptError,
    Language,
    Limits,
    Program,
    ScriptError,
)
from .processes import worker_command, worker_environment

_log = logging.getLogger("adapter_host.scripting")

_LENGTH_PREFIX: Final = struct.Struct(">I")
_POSITION: Final = re.compile(r":(\d+):(\d+)\)?$", re.MULTILINE)
_START_TIMEOUT: Final = 60.0


class JavaScript(Language):
    """JavaScript in QuickJS, without access to the system."""

    name = "javascript"

    def __init__(self) -> None:
        super().__init__()
        self._idle: list[_Worker] = []
        self._workers: set[_Worker] = set()
        self._started = False

    def compile(self, sources: Sequence[Source]) -> Program:
        """Check and instrument each source; line numbers continue from one source to the next."""
        texts, line = [], 0
        for source in sources:
            syntax = Syntax(source)
            syntax.check()
            _check_with_engine(source)
            texts.append("\n" * line + syntax.instrumented())
            line += source.text.count("\n") + 1
        return Program(tuple(sources), tuple(texts))

    async def start(self) -> None:
        """Start a worker, so that the first run does not wait for one."""
        async with self._starting:
            if not self._started:
                self._started = True
                self._idle.append(await self._start_worker())

    async def stop(self) -> None:
        """Kill every worker."""
        self._started = False
        self._idle.clear()
        await asyncio.gather(*map(_Worker.kill, list(self._workers)))
        self._workers.clear()

    async def run(self, program: Program, context: Arguments, limits: Limits) -> Any:
        """Run a program in a worker; a worker that was interrupted is not reused."""
        async with self.worker_slot(program, limits):
            worker = self._idle.pop() if self._idle else await self._start_or_unavailable()
            response = None
            try:
                async with asyncio.timeout(limits.seconds + KILL_GRACE):
                    response = await worker.request(_request(program, context, limits), _max_response_bytes(limits))
            except TimeoutError:
                raise program.timeout_error(limits) from None
            finally:
                if response is None or response.get("failed") == "crash":
                    self._workers.discard(worker)
                    await asyncio.shield(worker.kill())
                elif worker in self._workers:
                    self._idle.append(worker)
            return _result(program, response, limits)

    async def _start_or_unavailable(self) -> _Worker:
        try:
            return await self._start_worker()
        except StartError as error:
            raise UnavailableError(str(error)) from error

    async def _start_worker(self) -> _Worker:
        worker = await _Worker.start()
        if not self._started:  # stopped meanwhile
            await worker.kill()
            raise UnavailableError
        self._workers.add(worker)
        return worker


class _Worker:
    """One worker process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls) -> _Worker:
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


def _check_with_engine(source: Source) -> None:
    """Parse the source with the engine, without running it."""
    try:
        with Runtime(memory_limit=MEMORY_LIMIT, transform_flags=SourceTransform.NONE) as runtime:
            runtime.new_context().eval(f"throw null;\n{source.text}")
    except JSError as error:
        if error.name == "SyntaxError":
            position = _POSITION.search(error.stack or "")
            line, column = (int(position[1]) - 1, int(position[2])) if position else (1, 1)
            raise InvalidScriptError(source, f"invalid JavaScript: {error.message}", line, column) from None
    except Exception as error:
        # The engine raises many types of exceptions, all caused by this script.
        reason = str(error) if isinstance(error, QuickJSError) else "it is nested too deeply"
        raise InvalidScriptError(source, f"the script cannot be parsed: {reason}") from None


def _request(program: Program, context: Arguments, limits: Limits) -> bytes:
    try:
        text = orjson.dumps(context).decode()
    except TypeError as error:
        raise program.error(f"the context is not JSON: {error}") from None
    return orjson.dumps(
        {
            "tick": COUNT_FUNCTION,
            "context": text,
            "statements": limits.statements,
            "seconds": limits.seconds,
            "memory": MEMORY_LIMIT,
            "process_memory": PROCESS_MEMORY_LIMIT,
            "result_bytes": limits.result_bytes,
            "sources": program.texts,
        }
    )


def _max_response_bytes(limits: Limits) -> int:
    """Return the maximum size of a response: JSON encoded in JSON, and printed text."""
    return 2 * limits.result_bytes + 1024 * 1024


def _result(program: Program, response: dict[str, Any], limits: Limits) -> Any:
    if "failed" in response:
        raise _error(program, response, limits)
    if response["printed"]:
        _log.debug("script '%s': %s", program.name, response["printed"])
    return program.parse_result(response["result"], limits)


def _error(program: Program, response: dict[str, Any], limits: Limits) -> ScriptError:
    errors = {
        "time": lambda: program.timeout_error(limits),
        "statements": lambda: program.statement_limit_error(limits),
        "size": lambda: program.result_too_large_error(limits),
        "memory": program.memory_error,
        "depth": program.recursion_error,
        "crash": program.crash_error,
    }
    if response["failed"] in errors:
        return errors[response["failed"]]()
    return program.error(response["message"], *_source_position(program, response))


def _source_position(program: Program, response: dict[str, Any]) -> tuple[int, int | None]:
    """Return the index of the source and the line in it, from a line number over all sources."""
    line = response.get("line")
    if line is None:
        return response["index"], None
    for index, source in enumerate(program.sources):
        length = source.text.count("\n") + 1
        if line <= length:
            return index, line
        line -= length
    return response["index"], None
