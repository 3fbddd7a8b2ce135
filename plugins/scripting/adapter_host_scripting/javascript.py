"""JavaScript: QuickJS in WebAssembly, in worker processes that are killed on timeout."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any, Final

import orjson
from quickjs_rs import JSError, QuickJSError, Runtime, SourceTransform

from adapter_host import Arguments, StartError, UnavailableError, encode_json

from .files import Source
from .instrumentation import COUNT_FUNCTION
from .javascript_syntax import Syntax
from .javascript_workers import WorkerPool
from .language import (
    MEMORY_LIMIT,
    PROCESS_MEMORY_LIMIT,
    InvalidScriptError,
    Language,
    Limits,
    Program,
    Run,
    ScriptError,
)

_log = logging.getLogger("adapter_host.scripting")

_POSITION: Final = re.compile(r":(\d+):(\d+)\)?$", re.MULTILINE)


class JavaScript(Language):
    """JavaScript in QuickJS, without access to the system."""

    name = "javascript"

    def __init__(self) -> None:
        super().__init__()
        self._workers = WorkerPool()

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
            await self._workers.open()

    async def stop(self) -> None:
        """Kill every worker."""
        await self.end_runs()
        await self._workers.close()

    async def execute(self, run: Run) -> Any:
        """Execute a run in a worker; a worker that was interrupted is not reused."""
        program, limits = run.program, run.limits
        request = _request(program, run.context, limits)
        try:
            worker = await self._workers.take()
        except StartError as error:
            raise UnavailableError(str(error)) from error
        response = None
        try:
            async with run.time_limit():
                response = await worker.request(request, _max_response_bytes(limits))
        finally:
            if response is None or response.get("failed") == "crash":
                self._workers.discard(worker)
            else:
                self._workers.put_back(worker)
        return _result(program, response, limits)


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
        text = encode_json(context).decode()
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
