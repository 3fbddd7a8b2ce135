"""Tests of `adapter-host serve` with exposers that are no HTTP exposers: reloads, `--workers`, Unix sockets."""

from __future__ import annotations

import asyncio
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Command
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
    options = ("--no-access-log", "--workers", str(workers))
    async with serve(*options, document=document(lines("0", place))) as served:
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


@pytest.mark.parametrize("workers", [1, 2])
async def test_taken_port_at_a_reload(workers: int, serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    async with (
        serve("--workers", str(workers), document=document(lines("old"))) as served,
        connected(served.urls["lines"]) as client,
    ):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            file.write_text(document(lines("new", f"port: {port}")))
            served.process.send_signal(signal.SIGHUP)
            line = await served.wait_for_log("reload failed; still serving the previous version")
            assert f"shop.yaml:17:13: cannot listen on 127.0.0.1:{port}: address already in use" in line
            assert await client.ask("say") == {"result": "old"}
            # The port stays taken, as the file watcher may reload the former file once more.
            await reload(served, file, document(lines("new")), workers)
            assert await client.ask("say") == {"result": "new"}


def test_unix_socket_has_no_port(tmp_path: Path, command: Command) -> None:
    (tmp_path / "shop.yaml").write_text(document(lines("hello", "unixSocket: wire.sock")))
    result = command("serve", "shop.yaml", "--port", "lines=0", environment={"SHOP_TOKEN": "s3cr3t"})
    assert result.returncode == 2
    assert "--port: 'lines' listens on a Unix socket; set 'port' in its document instead" in result.stderr


async def test_path_of_the_only_exposer(serve: Serve, tmp_path: Path) -> None:
    async with serve("--uds", "./wire.sock", document=document(lines("hello"))) as served:
        assert served.urls["lines"] == f"unix://{tmp_path / 'wire.sock'}"
        async with connected(served.urls["lines"]) as client:
            assert await client.ask("say") == {"result": "hello"}


def test_path_of_several_exposers(tmp_path: Path, command: Command) -> None:
    (tmp_path / "shop.yaml").write_text(document(lines("one"), lines("two", namespace="others")))
    result = command("serve", "shop.yaml", "--uds", "./wire.sock", environment={"SHOP_TOKEN": "s3cr3t"})
    assert result.returncode == 2
    assert "--uds applies to no exposer of these files; write --uds NAMESPACE=PATH" in result.stderr


async def test_reload_adds_the_first_http_exposer(serve: Serve, tmp_path: Path) -> None:
    front = """\
    - type: rest
      namespace: shop
      port: 0
      resources: [{path: /things, operations: [{method: GET, name: things, call: api.list}]}]
"""
    async with serve(document=document(lines("old"))) as served:
        await reload(served, tmp_path / "shop.yaml", document(lines("new"), front), 1)
        again = Serving(served.process, served.ready)
        assert await again.get() == (200, ["one", "two"])
        async with connected(again.urls["lines"]) as client:
            assert await client.ask("say") == {"result": "new"}


async def test_errors_of_plugins_do_not_end_reloads(serve: Serve, tmp_path: Path) -> None:
    """An exposer that raises when it starts is named, and the next reload still happens."""
    (tmp_path / "adapter_host_bad.py").write_text(BAD)
    (tmp_path / "bad-1.dist-info").mkdir()
    (tmp_path / "bad-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1\n")
    (tmp_path / "bad-1.dist-info/entry_points.txt").write_text("[adapter_host]\nbad = adapter_host_bad\n")
    environment = {"SHOP_TOKEN": "s3cr3t", "PYTHONPATH": str(tmp_path)}
    file = tmp_path / "shop.yaml"
    async with serve(document=document(lines("old")), environment=environment) as served:
        for _ in range(2):
            file.write_text(document(lines("bad"), "    - {type: bad, namespace: bad}\n"))
            served.process.send_signal(signal.SIGHUP)
            line = await served.wait_for_log("reload failed; still serving the previous version")
            assert "LookupError: broken (while starting exposer 'bad' (bad))" in line
        await reload(served, file, document(lines("new")), 1)
        async with connected(served.urls["lines"]) as client:
            assert await client.ask("say") == {"result": "new"}


BAD = """\
from adapter_host import Exposer, hookimpl


class Bad(Exposer):
    async def start(self):
        raise LookupError("broken")


@hookimpl
def register_exposers(register):
    register("bad", Bad)
"""
