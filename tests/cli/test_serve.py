"""The real command: what it prints, its ready file, its signals and exit codes."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.conftest import Command
from tests.support.command import DOCUMENT, SECRET, Serve, Serving, Upstream


async def test_it_serves_until_a_signal_comes(serve: Serve, upstream: Upstream) -> None:
    async with serve() as served:
        listing = json.loads(served.ready.read_text())
        assert [(each["namespace"], each["type"]) for each in listing["exposers"]] == [
            ("shop", "rest"),
            ("tools", "mcp"),
        ]
        assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d*", served.urls["shop"])
        assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d*/mcp", served.urls["tools"])
        assert await served.get() == (200, ["one", "two"])
        assert upstream.authorizations == ["Bearer s3cr3t"]
        served.process.send_signal(signal.SIGTERM)
        code, err = await served.ended()
        assert code == 0
        assert not served.ready.exists()
        head, rest, mcp, *_ = err.splitlines()
        assert head.split() == ["capability", "exposer", "type", "url", "authentication", "operations"]
        assert rest.split() == ["Shop", "shop", "rest", served.urls["shop"], "none", "1"]
        assert mcp.split() == ["Shop", "tools", "mcp", served.urls["tools"], "none", "1"]
        assert f"curl {served.urls['shop']}/things" in err
        assert '"mcpServers"' in err
        events = [line.rpartition("adapter_host: ")[2] for line in err.splitlines() if " INFO adapter_host: " in line]
        assert events == ["serving", "draining: 0 calls in progress", "stopped"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_call_in_progress_ends(number: signal.Signals, serve: Serve, upstream: Upstream) -> None:
    upstream.let_go.clear()
    async with serve() as served:
        call = asyncio.create_task(served.get())
        await upstream.reached.wait()
        served.process.send_signal(number)
        await refused(served)
        assert not served.ready.exists()
        upstream.let_go.set()
        assert await call == (200, ["one", "two"])
        code, err = await served.ended()
        assert code == 0
        assert "draining: 1 calls in progress" in err


async def refused(served: Serving) -> None:
    """Wait until no new connection is taken."""
    host, port = served.urls["shop"].removeprefix("http://").split(":")
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
                writer.close()
                await writer.wait_closed()
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                continue  # taken by the system, and not by the host


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_a_second_signal_ends_it_at_once(
    number: signal.Signals, code: int, serve: Serve, upstream: Upstream
) -> None:
    upstream.let_go.clear()
    async with serve() as served:
        call = asyncio.create_task(served.get())
        await upstream.reached.wait()
        served.process.send_signal(number)
        await refused(served)
        served.process.send_signal(number)
        assert (await served.ended())[0] == code
        with pytest.raises(aiohttp.ClientError):
            await call


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def test_options(serve: Serve, upstream: Upstream, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SHOP_TOKEN=from-the-file\nOTHER=x\n")
    port = free_port()
    options = ("--port", f"shop={port}", "--address", "127.0.0.2", "--env-file", ".env", "--log-format", "json")
    async with serve(*options, environment={}) as served:
        assert served.urls["shop"] == f"http://127.0.0.2:{port}"
        assert served.urls["tools"].startswith("http://127.0.0.2:")
        assert (await served.get())[0] == 200
        assert upstream.authorizations == ["Bearer from-the-file"]
        headers = {"Host": "evil.example"}
        async with aiohttp.ClientSession() as session, session.get(served.urls["shop"], headers=headers) as answer:
            assert answer.status == 421
        served.process.send_signal(signal.SIGTERM)
        code, err = await served.ended()
    assert code == 0
    lines = [json.loads(line) for line in err.splitlines() if line.startswith('{"time"')]
    assert [(line["level"], line["logger"]) for line in lines if line["level"] != "info"] == [
        ("warning", "adapter_host")
    ]
    assert [line["message"] for line in lines if line["level"] == "info"] == [
        "serving",
        "draining: 0 calls in progress",
        "stopped",
    ]
    assert all(set(line) == {"time", "level", "logger", "message"} for line in lines)


async def test_the_environment_goes_before_the_file(serve: Serve, upstream: Upstream, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SHOP_TOKEN=from-the-file\n")
    async with serve("--env-file", ".env") as served:
        assert (await served.get())[0] == 200
        assert upstream.authorizations == ["Bearer s3cr3t"]


async def test_exposers_may_share_a_port(serve: Serve) -> None:
    port = free_port()
    async with serve("--port", f"shop={port}", "--port", f"tools={port}") as served:
        assert served.urls == {"shop": f"http://127.0.0.1:{port}/shop", "tools": f"http://127.0.0.1:{port}/tools/mcp"}
        assert (await served.get())[0] == 200


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "shop.yaml"
    file.write_text(DOCUMENT)
    return file


def test_a_port_in_use(shop: Path, command: Command) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        ended = command("serve", "shop.yaml", "--port", f"tools={port}", environment=SECRET)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"adapter-host: shop.yaml:27:13: cannot listen on 127.0.0.1:{port}: address already in use"
        " (choose another port with --port tools=PORT, 0 for any)\n"
    )


def test_a_secret_that_is_missing(shop: Path, command: Command) -> None:
    ended = command("serve", "shop.yaml")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        "shop.yaml:11:45: secret 'env.TOKEN' is not set (bind 'env'; set the environment variable SHOP_TOKEN,"
        " or pass --env-file with a file that sets it)\n"
    )


def test_a_typing_error_in_the_file(shop: Path, command: Command) -> None:
    shop.write_text(
        DOCUMENT.replace("method: GET, name", "metod: GET, name").replace("call: api.list}", "call: api.lst}")
    )
    ended = command("serve", "shop.yaml", environment=SECRET)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "shop.yaml:24:16: 'method' is missing (given 'metod'; did you mean 'method'?)\n"
    shop.write_text(DOCUMENT.replace("call: api.list}", "call: api.lst}"))
    ended = command("serve", "shop.yaml", environment=SECRET)
    assert [line.split(": ")[0] for line in ended.stderr.splitlines()] == ["shop.yaml:24:54", "shop.yaml:29:64"]
    assert "did you mean 'api.list'?" in ended.stderr


def test_a_ready_file_that_cannot_be_written(shop: Path, command: Command, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path, reason in (("folder", "Is a directory"), ("none/ready.json", "No such file or directory")):
        ended = command("serve", "shop.yaml", "--ready-file", path, environment=SECRET)
        assert ended.returncode == 1
        (line,) = (line for line in ended.stderr.splitlines() if "--ready-file" in line)
        assert line.startswith("adapter-host: --ready-file: cannot ")
        assert line.endswith(f"'{path}': {reason}")
        assert "Traceback" not in ended.stderr


def test_the_script_is_the_module(command: Command) -> None:
    script = Path(sys.executable).with_name("adapter-host")
    assert script.read_text().count("adapter_host.cli") == 1
    ended = command("--version")
    assert ended.returncode == 0
    assert ended.stdout.startswith("adapter-host ")
