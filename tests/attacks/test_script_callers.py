"""Callers that hang up during a script do not keep others from running theirs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapter_host.testing import Running, running
from adapter_host_scripting import language as languages
from tests.support.raw_http import CLOSE, connect, exchange

COUNT = {
    "javascript": "let n = 0; while (n < 30000) n++; result = n",
    "python": "n = 0\nwhile n < 30000:\n    n += 1\nresult = n",
}
ENDLESS = {
    "javascript": "[1].sort.call({length: 2 ** 32})",  # the engine cannot interrupt this
    "python": "f = lambda n: n and f(n - 1) + f(n - 1)\nf(60)",
}
SUFFIX = {"javascript": "js", "python": "py"}

Serve = Callable[..., AbstractAsyncContextManager[Running]]
both = pytest.mark.parametrize("language", ["javascript", "python"])

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="processes are found by /proc")


OTHERS: set[int] = set()


@pytest.fixture(autouse=True)
def others() -> None:
    """Leave out the processes of other tests, such as servers that a session starts once."""
    OTHERS.clear()
    OTHERS.update(children())


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    def serve(language: str, **scripts: str) -> AbstractAsyncContextManager[Running]:
        """Serve each script at the path of its name."""
        resources = []
        for name, text in scripts.items():
            file = f"{name}.{SUFFIX[language]}"
            (tmp_path / file).write_text(text)
            step = {"name": "run", "type": "script", "language": language, "location": tmp_path.as_uri(), "file": file}
            operation = {"method": "GET", "name": name, "steps": [step]}
            resources.append({"path": f"/{name}", "operations": [operation]})
        exposer = {"type": "rest", "namespace": "front", "port": 0, "resources": resources}
        return running({"naftiko": "1.0.0-alpha2", "capability": {"exposes": [exposer]}})

    return serve


@both
async def test_workers_survive_callers_that_hang_up(serve: Serve, language: str) -> None:
    async with serve(language, count=COUNT[language]) as served:
        await get(served, "count")
        warm = children()
        assert warm
        for _ in range(9):
            await hang_up(served, "count")
        assert await get(served, "count") == 30000
        assert set(warm) <= set(children())


@both
async def test_workers_survive_callers_that_hang_up_all_at_once(serve: Serve, language: str) -> None:
    async with serve(language, count=COUNT[language]) as served:
        # Starts as many workers as there are.
        await asyncio.gather(*(get(served, "count") for _ in range(2 * languages.WORKER_COUNT)))
        warm = children()
        await asyncio.gather(*(hang_up(served, "count") for _ in range(30)))
        assert await asyncio.gather(*(get(served, "count") for _ in range(4))) == [30000] * 4
        assert set(warm) <= set(children())


async def test_start_of_a_worker_goes_on_without_its_caller(serve: Serve) -> None:
    async with serve("javascript", endless=ENDLESS["javascript"], count=COUNT["javascript"]) as served:
        busy = asyncio.create_task(served.host.call("front.endless"))
        await until(lambda: any(map(is_computing, children())))
        known = set(children())
        abandoned = asyncio.create_task(served.host.call("front.count"))
        await until(lambda: set(children()) - known)
        (starting,) = set(children()) - known
        abandoned.cancel()
        with pytest.raises(asyncio.CancelledError):
            await abandoned
        for _ in range(5):
            await hang_up(served, "count")
        assert await get(served, "count") == 30000
        assert starting in children()
        busy.cancel()


@both
async def test_endless_script_without_a_caller_is_ended(
    serve: Serve, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(languages, "WORKER_COUNT", 1)
    monkeypatch.setattr(languages, "ABANDONED_GRACE", 0.05)
    async with serve(language, endless=ENDLESS[language], count=COUNT[language]) as served:
        await get(served, "count")
        for _ in range(2):
            call = asyncio.create_task(served.host.call("front.endless"))
            await until(lambda: any(map(is_computing, children())))
            call.cancel()
            # The limit of a script is a minute, and there is one worker.
            assert await get(served, "count") == 30000


@both
async def test_stop_ends_scripts_without_a_caller(serve: Serve, language: str) -> None:
    async with serve(language, endless=ENDLESS[language]) as served:
        call = asyncio.create_task(served.host.call("front.endless"))
        await until(lambda: any(map(is_computing, children())))
        call.cancel()
    await until(lambda: not children())


async def test_a_run_without_a_caller_does_not_outlast_its_limit(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that leaves after most of the time limit does not extend it."""
    monkeypatch.setattr(languages, "ABANDONED_GRACE", 3600.0)
    monkeypatch.setattr(languages, "KILL_GRACE", 0.0)
    monkeypatch.setattr(languages, "WORKER_COUNT", 1)
    async with serve("javascript", endless=ENDLESS["javascript"], count=COUNT["javascript"]) as served:
        (steps,) = served.host.step_types["script"]
        steps.adjust({"timeout": 1000})
        call = asyncio.create_task(served.host.call("front.endless"))
        await until(lambda: any(map(is_computing, children())))
        call.cancel()
        # The next call waits for the worker longer than that.
        steps.adjust({"timeout": 60_000})
        assert await get(served, "count") == 30000


def port_of(served: Running) -> int:
    port = urlsplit(served.url("front")).port
    assert port is not None
    return port


def request(name: str) -> bytes:
    return b"GET /%b HTTP/1.1\r\n%b\r\n" % (name.encode(), CLOSE)


async def get(served: Running, name: str) -> Any:
    head, _, body = (await exchange(port_of(served), request(name))).partition(b"\r\n\r\n")
    assert b" 200 " in head.split(b"\r\n")[0], head
    return json.loads(body)


async def hang_up(served: Running, name: str) -> None:
    """Send a request, and close the connection once the call is in flight."""
    idle = served.host.calls
    async with connect(port_of(served)) as connection:
        await connection.send(request(name))
        await until(lambda: served.host.calls > idle or connection.reader.at_eof())
    await until(lambda: served.host.calls <= idle)


async def until(condition: Callable[[], object]) -> None:
    """Wait for a state of another process, or of the host, which sends no event."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.002)


def children() -> list[int]:
    """Return the scripts' processes that this one has started and that run."""
    started = [child for thread in Path("/proc/self/task").iterdir() for child in children_of(thread)]
    return [child for child in started if child not in OTHERS and set(states(child)) - {"Z"}]


def children_of(thread: Path) -> list[int]:
    """Return the processes that a thread has started; none if it has ended, as another thread has them then."""
    try:
        return list(map(int, (thread / "children").read_text().split()))
    except FileNotFoundError:
        return []


def states(child: int) -> list[str]:
    """Return the state of each thread of a process; none if the process has been reaped."""
    try:
        threads = list(Path(f"/proc/{child}/task").iterdir())
        return [(thread / "stat").read_text().rpartition(")")[2].split()[0] for thread in threads]
    except OSError:
        return []


def is_computing(child: int) -> bool:
    return "R" in states(child)
