"""JavaScript: QuickJS in WebAssembly, in processes that are killed when it does not end."""

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

from .counting import TICK
from .files import Source
from .javascript_syntax import Syntax
from .language import GRACE, MEMORY, PROCESS_MEMORY, Language, Limits, Program, ScriptError, ScriptMistake
from .processes import command, environment

_log = logging.getLogger("adapter_host.scripting")

_LENGTH: Final = struct.Struct(">I")
_PLACE: Final = re.compile(r":(\d+):(\d+)\)?$", re.MULTILINE)
_STARTING: Final = 60.0


class JavaScript(Language):
    """JavaScript as QuickJS has it, without anything that reaches out of it."""

    name = "javascript"

    def __init__(self) -> None:
        super().__init__()
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._started = False

    def compile(self, sources: Sequence[Source]) -> Program:
        """Check each source, and let it count its statements; its lines go on where those before it end."""
        texts, line = [], 0
        for source in sources:
            syntax = Syntax(source)
            syntax.check()
            _parse(source)
            texts.append("\n" * line + syntax.counted())
            line += source.text.count("\n") + 1
        return Program(tuple(sources), tuple(texts))

    async def start(self) -> None:
        """Start a worker, so that the first run need not wait for one."""
        async with self._starting:
            if not self._started:
                self._started = True
                self._idle.append(await self._worker())

    async def stop(self) -> None:
        """Kill every worker."""
        self._started = False
        self._idle.clear()
        await asyncio.gather(*map(_Worker.kill, list(self._all)))
        self._all.clear()

    async def run(self, program: Program, context: Arguments, limits: Limits) -> Any:
        """Have a worker run it; one that was cut off is not used again."""
        async with self.turn(program, limits):
            worker = self._idle.pop() if self._idle else await self._another()
            answer = None
            try:
                async with asyncio.timeout(limits.seconds + GRACE):
                    answer = await worker.ask(_request(program, context, limits), _most(limits))
            except TimeoutError:
                raise program.out_of_time(limits) from None
            finally:
                if answer is None or answer.get("failed") == "crash":
                    self._all.discard(worker)
                    await asyncio.shield(worker.kill())
                elif worker in self._all:
                    self._idle.append(worker)
            return _result(program, answer, limits)

    async def _another(self) -> _Worker:
        try:
            return await self._worker()
        except StartError as error:
            raise UnavailableError(str(error)) from error

    async def _worker(self) -> _Worker:
        worker = await _Worker.start()
        if not self._started:  # stopped meanwhile
            await worker.kill()
            raise UnavailableError
        self._all.add(worker)
        return worker


class _Worker:
    """One process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls) -> _Worker:
        """A process that is ready to run scripts; raises `StartError`."""
        process = await asyncio.create_subprocess_exec(
            *command("javascript_worker.py"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment(),
        )
        worker = cls(process)
        try:
            async with asyncio.timeout(_STARTING):
                ready = await worker.answer(1024)
        except TimeoutError:
            ready = None
        except BaseException:
            await asyncio.shield(worker.kill())
            raise
        if ready is None:
            await worker.kill()
            raise StartError("the process that runs JavaScript does not start")
        return worker

    async def ask(self, request: bytes, most: int) -> dict[str, Any]:
        """The answer to a request; what comes of a process that ends, or says too much, is a crash."""
        assert self._process.stdin is not None
        with suppress(ConnectionError):
            self._process.stdin.write(_LENGTH.pack(len(request)) + request)
            await self._process.stdin.drain()
        return await self.answer(most) or {"failed": "crash"}

    async def answer(self, most: int) -> dict[str, Any] | None:
        """The next answer; None when there is none, or one of more than so many bytes."""
        assert self._process.stdout is not None
        try:
            (length,) = _LENGTH.unpack(await self._process.stdout.readexactly(_LENGTH.size))
            if length > most:
                return None
            answer: dict[str, Any] = orjson.loads(await self._process.stdout.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            return None
        return answer

    async def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            self._process.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


def _parse(source: Source) -> None:
    """Let the engine parse the source: what it would do is never reached."""
    try:
        with Runtime(memory_limit=MEMORY, transform_flags=SourceTransform.NONE) as runtime:
            runtime.new_context().eval(f"throw null;\n{source.text}")
    except JSError as error:
        if error.name == "SyntaxError":
            place = _PLACE.search(error.stack or "")
            line, column = (int(place[1]) - 1, int(place[2])) if place else (1, 1)
            raise ScriptMistake(source, f"this is no JavaScript: {error.message}", line, column) from None
    except Exception as error:
        # The engine's own failures are of many kinds, all of them this script's.
        reason = str(error) if isinstance(error, QuickJSError) else "it nests too deep"
        raise ScriptMistake(source, f"the script cannot be parsed: {reason}") from None


def _request(program: Program, context: Arguments, limits: Limits) -> bytes:
    try:
        text = orjson.dumps(context).decode()
    except TypeError as error:
        raise program.failure(f"its context is no JSON: {error}") from None
    return orjson.dumps(
        {
            "tick": TICK,
            "context": text,
            "statements": limits.statements,
            "seconds": limits.seconds,
            "memory": MEMORY,
            "process": PROCESS_MEMORY,
            "answer": limits.answer,
            "sources": program.texts,
        }
    )


def _most(limits: Limits) -> int:
    """The bytes of an answer: JSON in JSON, and what was printed."""
    return 2 * limits.answer + 1024 * 1024


def _result(program: Program, answer: dict[str, Any], limits: Limits) -> Any:
    if "failed" in answer:
        raise _failure(program, answer, limits)
    if answer["printed"]:
        _log.debug("script '%s': %s", program.name, answer["printed"])
    return program.parsed(answer["result"], limits)


def _failure(program: Program, answer: dict[str, Any], limits: Limits) -> ScriptError:
    known = {
        "time": lambda: program.out_of_time(limits),
        "statements": lambda: program.out_of_statements(limits),
        "size": lambda: program.too_large(limits),
        "memory": program.out_of_memory,
        "depth": program.too_deep,
        "crash": program.crashed,
    }
    if answer["failed"] in known:
        return known[answer["failed"]]()
    return program.failure(answer["message"], *_place(program, answer))


def _place(program: Program, answer: dict[str, Any]) -> tuple[int, int | None]:
    """The source and the line in it: the lines of all sources are numbered on."""
    line = answer.get("line")
    if line is None:
        return answer["index"], None
    for index, source in enumerate(program.sources):
        length = source.text.count("\n") + 1
        if line <= length:
            return index, line
        line -= length
    return answer["index"], None
