"""Python: the subset that Monty interprets, in worker processes that are killed on timeout."""

from __future__ import annotations

import logging
import re
import secrets
import subprocess
from collections.abc import Sequence
from typing import Any, Final

import orjson
from pydantic_monty import AsyncMonty, MontyCrashedError, MontyError, MontyRuntimeError

from adapter_host import Arguments, UnavailableError, worker_environment

from .files import Source
from .instrumentation import COUNT_FUNCTION
from .language import (
    KILL_GRACE,
    MEMORY_LIMIT,
    PROCESS_MEMORY_LIMIT,
    WORKER_COUNT,
    InvalidScriptError,
    Language,
    Limits,
    Program,
    Run,
    ScriptError,
)
from .processes import limit_process, worker_command
from .python_syntax import instrument

_log = logging.getLogger("adapter_host.scripting")

_FEED: Final = re.compile(r"<python-input-(\d+)>")
_REMAINING, _LIMIT_REACHED, _WRITE = (
    f"__{name}_{secrets.token_hex(8)}" for name in ("remaining", "limit_reached", "write")
)

# Runs before any script, as the first feed: sets up the statement counter.
_PRELUDE: Final = f"""
{_REMAINING} = [STATEMENTS]
def {COUNT_FUNCTION}(value=None):
    {_REMAINING}[0] -= 1
    if {_REMAINING}[0] < 0:
        {_LIMIT_REACHED}()
    return value
result = None
"""
_EPILOGUE: Final = f"import json as {_WRITE}\n{_WRITE}.dumps(result) if result is not None else None"
_MAX_PRINTED: Final = 10_000
_MAX_RECURSION: Final = 500
_CHECK_TIMEOUT: Final = 60.0


class Python(Language):
    """Python in Monty: no generators, no `del`, few modules, and no access to the system."""

    name = "python"

    def __init__(self) -> None:
        super().__init__()
        self._pool: AsyncMonty | None = None

    def compile(self, sources: Sequence[Source]) -> Program:
        """Check and instrument each source."""
        texts = [instrument(source) for source in sources]
        _check_with_interpreter(sources)
        return Program(tuple(sources), tuple(texts))

    async def start(self) -> None:
        """Start a worker, so that the first run does not wait for one."""
        async with self._starting:
            if self._pool is None:
                pool = AsyncMonty(
                    max_processes=WORKER_COUNT, feed_duration_limit_grace=KILL_GRACE, max_checkouts_per_worker=1000
                )
                await pool.__aenter__()
                self._pool = pool

    async def stop(self) -> None:
        """Kill every worker."""
        pool, self._pool = self._pool, None
        await self.end_runs()
        if pool is not None:
            await pool.__aexit__(None, None, None)

    async def execute(self, run: Run) -> Any:
        """Execute a run in a worker."""
        program, limits = run.program, run.limits
        pool = self._pool
        if pool is None:
            raise UnavailableError
        session = _Session(program, run.context, limits)
        try:
            async with run.time_limit():
                text = await session.result(pool)
        except MontyCrashedError as error:
            raise (program.timeout_error(limits) if error.timed_out else program.crash_error()) from None
        except MontyRuntimeError as error:
            raise session.script_error(error) from None
        except MontyError as error:
            raise program.error(str(error)) from None
        if session.limit_reached:
            raise program.statement_limit_error(limits)
        return program.parse_result(text, limits)


class _Session:
    """The execution of one script in a worker."""

    def __init__(self, program: Program, context: Arguments, limits: Limits) -> None:
        self._program = program
        self._context = dict(context)
        self._limits = limits
        self._print_budget = _MAX_PRINTED
        self.limit_reached = False

    async def result(self, pool: AsyncMonty) -> str | None:
        """Run the script and return its result as JSON; each source is one feed, whose number is in errors."""
        session = pool.checkout(
            limits={
                "max_feed_duration_secs": self._limits.seconds,
                "max_memory": MEMORY_LIMIT,
                "max_recursion_depth": _MAX_RECURSION,
                "max_suspensions": 100,
                "max_total_sleep_secs": 0.0,
            },
            assert_message_annotations=False,
        )
        feed: dict[str, Any] = {
            "external_lookup": {_LIMIT_REACHED: self._raise_limit_reached},
            "print_callback": self._print,
        }
        async with session as worker:
            if worker.worker_pid is not None:
                limit_process(worker.worker_pid, PROCESS_MEMORY_LIMIT)
            prelude = _PRELUDE.replace("STATEMENTS", str(self._limits.statements))
            await worker.feed_run(prelude, inputs={"context": self._context}, **feed)
            for text in self._program.texts:
                # Discards the value of the script's last expression.
                await worker.feed_run(f"{text}\nNone", **feed)
            text = await worker.feed_run(_EPILOGUE, **feed)
        return text if isinstance(text, str) else None

    def script_error(self, error: MontyRuntimeError) -> ScriptError:
        """Return the error for an exception of the script."""
        program, limits = self._program, self._limits
        if self.limit_reached:
            return program.statement_limit_error(limits)
        message = error.display("type-msg")
        type_name = message.partition(":")[0]
        if type_name == "TimeoutError" and "time limit exceeded" in message:
            return program.timeout_error(limits)
        if type_name == "MemoryError":
            return program.memory_error()
        if type_name == "RecursionError":
            return program.recursion_error()
        return program.error(message, *self._source_position(error))

    def _source_position(self, error: MontyRuntimeError) -> tuple[int, int | None]:
        last = len(self._program.sources) - 1
        for frame in reversed(error.traceback()):
            feed = _FEED.fullmatch(frame.filename)
            if feed and 1 <= int(feed[1]) <= last + 1:
                return int(feed[1]) - 1, frame.line
        return last, None

    def _raise_limit_reached(self) -> None:
        self.limit_reached = True
        raise RuntimeError("statement limit reached")

    def _print(self, _: str, text: str) -> None:
        if self._print_budget > 0:
            _log.debug("script '%s': %s", self._program.name, text[: self._print_budget])
            self._print_budget -= len(text)


def _check_with_interpreter(sources: Sequence[Source]) -> None:
    """Raise `InvalidScriptError` for Python that Monty does not support."""
    request = orjson.dumps([source.text for source in sources])
    completed = subprocess.run(
        worker_command("python_check.py"),
        input=request,
        env=worker_environment(),
        capture_output=True,
        timeout=_CHECK_TIMEOUT,
        check=False,
    )
    if completed.returncode:
        raise InvalidScriptError(sources[-1], "the script cannot be checked; the Python interpreter does not start")
    for source, error in zip(sources, orjson.loads(completed.stdout), strict=True):
        if error is not None:
            message = f"unsupported Python: {error['message']}"
            raise InvalidScriptError(source, message, error["line"])
