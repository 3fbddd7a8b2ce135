"""Tests of limits, and of other calls while a script exceeds them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from adapter_host import OperationError, Result, UnavailableError

from .conftest import Serve, Write, get

SPIN = {
    "javascript": "[1].sort.call({length: 2 ** 32})",  # the engine cannot interrupt this
    "python": "f = lambda n: n and f(n - 1) + f(n - 1)\nf(60)",
}
COUNTED = {
    "javascript": "let n = 0;\nwhile (n < Number(context.a)) n++;\nresult = n;",
    "python": "n = 0\nwhile n < int(context['a']):\n    n += 1\nresult = n",
}

both = pytest.mark.parametrize("language", ["javascript", "python"])


OTHERS: set[int] = set()


@both
async def test_statements_are_counted(serve: Serve, write: Write, language: str) -> None:
    # One before the loop, the loop, 50 times its body, one after it; in Python, the loop counts on each iteration.
    limit = 1 + (51 if language == "python" else 1) + 50 + 1
    async with serve(write(COUNTED[language], language), scripting={"statementLimit": limit}) as served:
        assert await get(served, a="50") == (200, 50)
        status, problem = await get(served, a="51")
        assert status == 500
        assert problem["detail"].endswith(f"statementLimit of {limit} exceeded")
        assert await get(served, a="50") == (200, 50)


@both
async def test_default_limits(serve: Serve, write: Write, language: str) -> None:
    async with serve(write(COUNTED[language], language)) as served:
        assert await get(served, a="40000") == (200, 40000)
        assert "statementLimit of 100000 exceeded" in (await get(served, a="100000"))[1]["detail"]
        (steps,) = served.host.step_types["script"]
        assert (steps.status()["timeout"], steps.status()["statementLimit"]) == (60_000, 100_000)


@both
async def test_other_calls_are_served_during_endless_scripts(serve: Serve, write: Write, language: str) -> None:
    spinning = write(SPIN[language], language, "spin")
    quick = write("result = 'quick'", "python" if language == "javascript" else "javascript", "quick")
    async with serve(spinning, scripting={"timeout": 500}) as served, serve(quick) as other:
        tasks = [asyncio.create_task(served.host.call("front.run")) for _ in range(2)]
        await until(lambda: any(map(busy, children())))
        assert await get(other) == (200, "quick")
        for task in tasks:
            with pytest.raises(OperationError, match="500 ms"):
                await task


@both
async def test_cancelled_call_ends_its_worker(serve: Serve, write: Write, language: str) -> None:
    async with serve(write(SPIN[language], language)) as served:
        before = await spawned(served.host.call("front.run"))
        before.cancel()
        with pytest.raises(asyncio.CancelledError):
            await before
        assert served.host.calls == 0
    await all_gone()


@both
async def test_stop_ends_running_scripts(serve: Serve, write: Write, language: str) -> None:
    async with serve(write(SPIN[language], language), drain_timeout=0.05) as served:
        running = await spawned(served.host.call("front.run"))
        await served.host.drain()
        await served.host.stop()
        with pytest.raises(OperationError):
            await running
    await all_gone()


@both
async def test_killed_worker_fails_one_call(serve: Serve, write: Write, language: str) -> None:
    text = {"javascript": "if (context.a) [1].sort.call({length: 2 ** 32}); result = 1", "python": ""}[language]
    text = text or "if context.get('a'):\n    f = lambda n: n and f(n - 1) + f(n - 1)\n    f(60)\nresult = 1"
    async with serve(write(text, language)) as served:
        assert await get(served) == (200, 1)
        running = await spawned(served.host.call("front.run", {"a": "x"}))
        for child in children():
            os.kill(child, signal.SIGKILL)
        with pytest.raises(OperationError, match="the worker process crashed"):
            await running
        assert await get(served) == (200, 1)


async def test_calls_wait_for_a_free_worker(serve: Serve, write: Write) -> None:
    async with serve(write(SPIN["python"], "python"), scripting={"timeout": 300}) as served:
        calls = [served.host.call("front.run") for _ in range(40)]
        failures = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(failure).__name__ for failure in failures} == {"ScriptError", "UnavailableError"}
        busy = next(failure for failure in failures if isinstance(failure, UnavailableError))
        assert "workers are busy" in busy.message


@both
async def test_result_size_limit(serve: Serve, write: Write, language: str) -> None:
    text = {"javascript": "result = 'x'.repeat(Number(context.a))", "python": "result = 'x' * int(context['a'])"}
    async with serve(write(text[language], language), response_limit=1000) as served:
        assert await get(served, a="998") == (200, "x" * 998)
        assert "1000 bytes" in (await get(served, a="999"))[1]["detail"]
        assert "1000 bytes" in (await get(served, a="5000000"))[1]["detail"]


async def test_workers_do_not_inherit_the_environment(
    serve: Serve, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADAPTER_HOST_TEST_SECRET", "hush")
    async with serve(write("result = 1"), write("result = 1", "python", "other")) as served:
        await get(served)
        environments = [environment(child) for child in children()]
    assert environments
    assert not any(b"ADAPTER_HOST_TEST_SECRET" in each for each in environments)


async def spawned(call: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
    """Start a call, and return its task once the script is running."""
    task = asyncio.create_task(call)
    await until(lambda: any(map(busy, children())))
    return task


async def all_gone() -> None:
    """Wait until every process has ended."""
    await until(lambda: not children())


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a state of another process, which sends no event."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


def children() -> list[int]:
    """Return the scripts' processes that this one has started and that run; an ended one may wait to be reaped."""
    started = [child for thread in Path("/proc/self/task").iterdir() for child in children_of(thread)]
    return [child for child in started if child not in OTHERS and set(states(child)) - {"Z"}]


def children_of(thread: Path) -> list[int]:
    """Return the processes that a thread has started; none if it has ended, as another thread has them then."""
    try:
        return list(map(int, (thread / "children").read_text().split()))
    except FileNotFoundError:
        return []


@pytest.fixture(autouse=True)
def others() -> None:
    """Leave out the processes of other tests, such as servers that a session starts once."""
    OTHERS.clear()
    OTHERS.update(children())


def states(child: int) -> list[str]:
    """Return the state of each thread of a process; none if the process has been reaped."""
    try:
        threads = list(Path(f"/proc/{child}/task").iterdir())
        return [(thread / "stat").read_text().rpartition(")")[2].split()[0] for thread in threads]
    except OSError:
        return []


def environment(child: int) -> bytes:
    """Return the initial environment of a process."""
    return Path(f"/proc/{child}/environ").read_bytes()


def busy(child: int) -> bool:
    """Return whether a process is computing right now."""
    return "R" in states(child)
