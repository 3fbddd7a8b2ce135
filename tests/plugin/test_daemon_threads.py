"""Threads for blocking functions: limited, and of no concern to anything else."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from contextvars import ContextVar
from pathlib import Path
from typing import ClassVar

import pytest

from adapter_host import DaemonThreads, Location, UnavailableError

BLOCKED = """
import asyncio, threading
from adapter_host import DaemonThreads

async def main():
    blocked = threading.Event()
    task = asyncio.create_task(DaemonThreads(1).run(lambda: (blocked.set(), threading.Event().wait())))
    await asyncio.to_thread(blocked.wait)
    task.cancel()

asyncio.run(main())
"""


async def test_results_and_errors() -> None:
    threads = DaemonThreads(2)
    assert await asyncio.gather(*(threads.run(pow, base, exp=2) for base in range(20))) == [n * n for n in range(20)]
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 1, 0)


async def test_context_is_passed_on() -> None:
    name = ContextVar[str]("name")
    name.set("here")
    assert await DaemonThreads(1).run(name.get) == "here"


async def test_limit() -> None:
    threads, lock = DaemonThreads(2), threading.Lock()
    running: list[int] = []
    barrier = threading.Barrier(2)
    counts = []

    def work() -> None:
        with lock:
            running.append(1)
            counts.append(len(running))
        barrier.wait()
        with lock:
            running.pop()

    await asyncio.gather(*(threads.run(work) for _ in range(10)))
    assert max(counts) == 2


async def test_cancelled_function_that_waits_is_not_run() -> None:
    threads, blocked, ran = DaemonThreads(1), threading.Event(), threading.Event()
    first = asyncio.create_task(threads.run(blocked.wait))
    second = asyncio.create_task(threads.run(ran.set))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    blocked.set()
    await first
    assert await threads.run(ran.is_set) is False


def test_blocked_thread_does_not_delay_the_end_of_the_process() -> None:
    subprocess.run([sys.executable, "-c", BLOCKED], check=True, timeout=50)


class ImpatientLocation(Location):
    """A location of a disk that has little time to respond."""

    THREADS: ClassVar[int] = 1
    TIMEOUT: ClassVar[float] = 0.1


async def test_location_that_does_not_respond(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.txt").write_text("a")
    stuck, other = ImpatientLocation(tmp_path, 10), Location(tmp_path, 10)
    released = threading.Event()
    for function in (released.wait, lambda: stuck.read("a.txt")):
        with pytest.raises(UnavailableError, match="cannot be read in time"):
            await stuck.in_thread(function)
    assert f"{tmp_path}: cannot be read within 0.1 s" in caplog.text
    assert await other.in_thread(other.read, "a.txt") == b"a"
    released.set()
