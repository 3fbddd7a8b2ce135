"""Tests of `adapter-host serve` with exposers that are no HTTP exposers: reloads, `--workers`, Unix sockets."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import HEAD, Serve, Serving
from tests.support.lines import connected

CONNECTIONS, RELOADS = 64, 50
OPERATION = "        - {path: /things, operations: [{name: list, method: GET}]}\n  exposes:\n"


def lines(word: str, place: str = "port: 0", namespace: str = "lines") -> str:
    """Return the entry of an exposer that responds with a word."""
    return f"""\
    - type: echo
      namespace: {namespace}
      {place}
      operations:
        - {{name: say, outputParameters: [{{type: string, value: "{word}"}}]}}
"""


def document(*exposed: str) -> str:
    return HEAD + OPERATION + "".join(exposed)


async def keep_asking(place: str, reloaded: asyncio.Event) -> list[Any]:
    """Send requests on one connection until the reloads have ended, and then one more."""
    responses = []
    async with connected(place) as client:
        while not reloaded.is_set():
            responses.append(await client.ask("say"))
        return [*responses, await client.ask("say")]


async def keep_connecting(place: str, reloaded: asyncio.Event) -> list[Any]:
    """Send each request on a connection of its own until the reloads have ended."""
    responses = []
    while not reloaded.is_set():
        async with connected(place) as client:
            responses.append(await client.ask("say"))
    return responses


async def reload(served: Serving, file: Path, text: str, workers: int) -> None:
    """Change the file, and wait until every worker serves it."""
    file.write_text(text)  # noqa: ASYNC240
    served.process.send_signal(signal.SIGHUP)
    await served.wait_for_log("INFO adapter_host: reloaded" if workers == 1 else ": reloaded", times=workers)


@pytest.mark.parametrize("place", ["port: 0", "unixSocket: wire.sock"])
@pytest.mark.parametrize("workers", [1, 2])
async def test_reloads_under_load(workers: int, place: str, serve: Serve, tmp_path: Path) -> None:
    file, reloaded = tmp_path / "shop.yaml", asyncio.Event()
    async with serve("--workers", str(workers), document=document(lines("0", place))) as served:
        url = served.urls["lines"]
        kept = [asyncio.create_task(keep_asking(url, reloaded)) for _ in range(CONNECTIONS)]
        opened = [asyncio.create_task(keep_connecting(url, reloaded)) for _ in range(8)]
        for number in range(1, RELOADS + 1):
            await reload(served, file, document(lines(str(number), place)), workers)
        reloaded.set()
        words = [str(number) for number in range(RELOADS + 1)]
        for responses in await asyncio.gather(*kept):
            assert {response["result"] for response in responses} <= set(words)
            assert responses[-1] == {"result": words[-1]}
        for responses in await asyncio.gather(*opened):
            assert {response["result"] for response in responses} <= set(words)
        served.process.send_signal(signal.SIGTERM)
        code, err = await served.wait_until_exit()
    assert code == 0
    assert "Traceback" not in err
    assert not (tmp_path / "wire.sock").exists()
