"""Python: the subset that Monty interprets, in processes that it kills when they do not end."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import subprocess
from collections.abc import Sequence
from typing import Any, Final

import orjson
from pydantic_monty import AsyncMonty, MontyCrashedError, MontyError, MontyRuntimeError

from adapter_host import Arguments, UnavailableError

from .counting import TICK
from .files import Source
from .language import GRACE, MEMORY, PROCESS_MEMORY, WORKERS, Language, Limits, Program, ScriptError, ScriptMistake
from .processes import bound, command, environment
from .python_syntax import counted

_log = logging.getLogger("adapter_host.scripting")

_FEED: Final = re.compile(r"<python-input-(\d+)>")
_LEFT, _SPENT, _WRITE = (f"__{name}_{secrets.token_hex(8)}" for name in ("left", "spent", "write"))

# Before any script, in the first feed: the count of statements.
_BEFORE: Final = f"""
{_LEFT} = [STATEMENTS]
def {TICK}(value=None):
    {_LEFT}[0] -= 1
    if {_LEFT}[0] < 0:
        {_SPENT}()
    return value
result = None
"""
_AFTER: Final = f"import json as {_WRITE}\n{_WRITE}.dumps(result) if result is not None else None"
_PRINTED: Final = 10_000
_DEEPEST: Final = 500
_CHECKING: Final = 60.0


class Python(Language):
    """Python as Monty has it: no generators, no `del`, a few modules, and nothing that reaches out of it."""

    name = "python"

    def __init__(self) -> None:
        super().__init__()
        self._pool: AsyncMonty | None = None
        self._running: set[asyncio.Task[str | None]] = set()

    def compile(self, sources: Sequence[Source]) -> Program:
        """Check each source, and let it count its statements."""
        texts = [counted(source) for source in sources]
        _check(sources)
        return Program(tuple(sources), tuple(texts))

    async def start(self) -> None:
        """Start a worker, so that the first run need not wait for one."""
        async with self._starting:
            if self._pool is None:
                pool = AsyncMonty(max_processes=WORKERS, feed_duration_limit_grace=GRACE, max_checkouts_per_worker=1000)
                await pool.__aenter__()
                self._pool = pool

    async def stop(self) -> None:
        """Kill every worker."""
        pool, self._pool = self._pool, None
        for task in self._running:
            task.cancel()
        if pool is not None:
            await pool.__aexit__(None, None, None)

    async def run(self, program: Program, context: Arguments, limits: Limits) -> Any:
        """Have a worker run it."""
        run = _Run(program, context, limits)
        async with self.turn(program, limits):
            try:
                async with asyncio.timeout(limits.seconds + GRACE):
                    text = await self._text(run)
            except TimeoutError:
                raise program.out_of_time(limits) from None
            except MontyCrashedError as error:
                raise (program.out_of_time(limits) if error.timed_out else program.crashed()) from None
            except MontyRuntimeError as error:
                raise run.failure(error) from None
            except MontyError as error:
                raise program.failure(str(error)) from None
            if run.spent:
                raise program.out_of_statements(limits)
            return program.parsed(text, limits)

    async def _text(self, run: _Run) -> str | None:
        """What a run gives; in a task of its own, which a stop can cancel."""
        pool = self._pool
        if pool is None:
            raise UnavailableError
        task = asyncio.create_task(run.result(pool))
        self._running.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            raise UnavailableError from None
        finally:
            self._running.discard(task)


def _is_cancelled() -> bool:
    """Whether it is the caller that was cancelled, and not what it waits for."""
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0


class _Run:
    """One run of a script."""

    def __init__(self, program: Program, context: Arguments, limits: Limits) -> None:
        self._program = program
        self._context = dict(context)
        self._limits = limits
        self._room = _PRINTED
        self.spent = False

    async def result(self, pool: AsyncMonty) -> str | None:
        """What the script gives, as JSON; each source is fed in turn, and so has a number of its own in errors."""
        session = pool.checkout(
            limits={
                "max_feed_duration_secs": self._limits.seconds,
                "max_memory": MEMORY,
                "max_recursion_depth": _DEEPEST,
                "max_suspensions": 100,
                "max_total_sleep_secs": 0.0,
            },
            assert_message_annotations=False,
        )
        feed: dict[str, Any] = {"external_lookup": {_SPENT: self._stop}, "print_callback": self._print}
        async with session as worker:
            if worker.worker_pid is not None:
                bound(worker.worker_pid, PROCESS_MEMORY)
            before = _BEFORE.replace("STATEMENTS", str(self._limits.statements))
            await worker.feed_run(before, inputs={"context": self._context}, **feed)
            for text in self._program.texts:
                # As a value of its own, so that what the script's last line is does not matter.
                await worker.feed_run(f"{text}\nNone", **feed)
            text = await worker.feed_run(_AFTER, **feed)
        return text if isinstance(text, str) else None

    def failure(self, error: MontyRuntimeError) -> ScriptError:
        """How the script failed, in the words of its language."""
        program, limits = self._program, self._limits
        if self.spent:
            return program.out_of_statements(limits)
        message = error.display("type-msg")
        kind = message.partition(":")[0]
        if kind == "TimeoutError" and "time limit exceeded" in message:
            return program.out_of_time(limits)
        if kind == "MemoryError":
            return program.out_of_memory()
        if kind == "RecursionError":
            return program.too_deep()
        return program.failure(message, *self._place(error))

    def _place(self, error: MontyRuntimeError) -> tuple[int, int | None]:
        last = len(self._program.sources) - 1
        for frame in reversed(error.traceback()):
            feed = _FEED.fullmatch(frame.filename)
            if feed and 1 <= int(feed[1]) <= last + 1:
                return int(feed[1]) - 1, frame.line
        return last, None

    def _stop(self) -> None:
        self.spent = True
        raise RuntimeError("no more statements")

    def _print(self, _: str, text: str) -> None:
        if self._room > 0:
            _log.debug("script '%s': %s", self._program.name, text[: self._room])
            self._room -= len(text)


def _check(sources: Sequence[Source]) -> None:
    """Raise `ScriptMistake` for what Monty does not know."""
    asked = orjson.dumps([source.text for source in sources])
    done = subprocess.run(
        command("python_check.py"), input=asked, env=environment(), capture_output=True, timeout=_CHECKING, check=False
    )
    if done.returncode:
        raise ScriptMistake(sources[-1], "the interpreter of Python does not start, so nothing can check the script")
    for source, mistake in zip(sources, orjson.loads(done.stdout), strict=True):
        if mistake is not None:
            message = f"this is no Python that can be run: {mistake['message']}"
            raise ScriptMistake(source, message, mistake["line"])
