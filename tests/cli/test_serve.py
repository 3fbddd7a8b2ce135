"""Tests of `adapter-host serve`: output, ready file, signals and exit codes."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import aiohttp
import pytest
from syrupy.assertion import SnapshotAssertion

from tests.conftest import Command
from tests.support.command import DOCUMENT, SECRET, Serve, Serving, Upstream
from tests.support.paths import ROOT


@pytest.mark.skipif(shutil.which("pgrep") is None, reason="this system has no pgrep")
async def test_process_is_found_as_the_documentation_finds_it(tmp_path: Path) -> None:
    pattern = re.findall(r"pkill -HUP -of '([^']+)'", (ROOT / "docs/how-to/secrets.md").read_text())
    (tmp_path / "shop.yaml").write_text(DOCUMENT)
    program = Path(sysconfig.get_path("scripts")) / "adapter-host"
    process = await asyncio.create_subprocess_exec(
        program, "serve", "--mock", "shop.yaml", cwd=tmp_path, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    while b"serving" not in await process.stderr.readline():
        assert process.returncode is None
    found = subprocess.run(  # noqa: ASYNC221 - it ends at once
        ["pgrep", "-f", *pattern], capture_output=True, text=True, check=True
    ).stdout.split()
    process.terminate()
    await process.communicate()
    assert str(process.pid) in found


async def test_serve_until_signal(serve: Serve, upstream: Upstream) -> None:
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
        code, err = await served.wait_until_exit()
        assert code == 0
        assert not served.ready.exists()
        head, rest, mcp, *_ = err.splitlines()
        assert head.split() == ["capability", "exposer", "type", "url", "authentication", "operations"]
        assert rest.split() == ["Shop", "shop", "rest", served.urls["shop"], "none", "1"]
        assert mcp.split() == ["Shop", "tools", "mcp", served.urls["tools"], "none", "1"]
        assert f"curl {served.urls['shop']}/things" in err
        assert '"mcpServers"' in err
        events = [line.rpartition("adapter_host: ")[2] for line in err.splitlines() if " INFO adapter_host: " in line]
        assert events == ["serving", "draining: 0 calls in flight", "stopped"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_completes_calls_in_flight(number: signal.Signals, serve: Serve, upstream: Upstream) -> None:
    upstream.release.clear()
    async with serve() as served:
        call = asyncio.create_task(served.get())
        await upstream.reached.wait()
        served.process.send_signal(number)
        await wait_until_refused(served)
        assert not served.ready.exists()
        upstream.release.set()
        assert await call == (200, ["one", "two"])
        code, err = await served.wait_until_exit()
        assert code == 0
        assert "draining: 1 call in flight" in err


async def wait_until_refused(served: Serving) -> None:
    """Wait until new connections are refused."""
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
                continue  # accepted by the kernel, but not by the host


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_second_signal_exits_immediately(
    number: signal.Signals, code: int, serve: Serve, upstream: Upstream
) -> None:
    upstream.release.clear()
    async with serve() as served:
        call = asyncio.create_task(served.get())
        await upstream.reached.wait()
        served.process.send_signal(number)
        await wait_until_refused(served)
        served.process.send_signal(number)
        assert (await served.wait_until_exit())[0] == code
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
        async with aiohttp.ClientSession() as session, session.get(served.urls["shop"], headers=headers) as response:
            assert response.status == 421
        served.process.send_signal(signal.SIGTERM)
        code, err = await served.wait_until_exit()
    assert code == 0
    lines = [json.loads(line) for line in err.splitlines() if line.startswith('{"time"')]
    lines, requests = [
        [line for line in lines if (line["logger"] == "adapter_host.access") == is_access]
        for is_access in (False, True)
    ]
    assert [(line["status"], line["exposer"]) for line in requests] == [(200, "shop"), (421, "shop")]
    assert [(line["level"], line["logger"]) for line in lines if line["level"] != "info"] == [
        ("warning", "adapter_host")
    ]
    served_at = {line.get("exposer"): line.get("url") for line in lines[:2]}
    assert served_at == served.urls
    lines = lines[2:]
    assert [line["message"] for line in lines if line["level"] == "info"] == [
        "serving",
        "draining: 0 calls in flight",
        "stopped",
    ]
    own = {"request_id", "exposer"}
    assert all(set(line) - own == {"time", "level", "logger", "message"} for line in lines)


async def test_exposers_share_a_port(serve: Serve) -> None:
    port = free_port()
    async with serve("--port", f"shop={port}", "--port", f"tools={port}") as served:
        assert served.urls == {"shop": f"http://127.0.0.1:{port}/shop", "tools": f"http://127.0.0.1:{port}/tools/mcp"}
        assert (await served.get())[0] == 200


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "shop.yaml"
    file.write_text(DOCUMENT)
    return file


def test_port_in_use(shop: Path, command: Command, snapshot: SnapshotAssertion) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        result = command("serve", "shop.yaml", "--port", f"tools={port}", environment=SECRET)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("adapter-host: shop.yaml:27:13: ")
    assert result.stderr.replace(str(port), "PORT") == snapshot


def test_missing_secret(shop: Path, command: Command, snapshot: SnapshotAssertion) -> None:
    result = command("serve", "shop.yaml")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("shop.yaml:11:45: ")
    assert result.stderr == snapshot


def test_invalid_document(shop: Path, command: Command, snapshot: SnapshotAssertion) -> None:
    shop.write_text(
        DOCUMENT.replace("method: GET, name", "metod: GET, name").replace("call: api.list}", "call: api.lst}")
    )
    result = command("serve", "shop.yaml", environment=SECRET)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("shop.yaml:24:16: ")
    assert result.stderr == snapshot
    shop.write_text(DOCUMENT.replace("call: api.list}", "call: api.lst}"))
    result = command("serve", "shop.yaml", environment=SECRET)
    assert [line.split(": ")[0] for line in result.stderr.splitlines()] == ["shop.yaml:24:54", "shop.yaml:29:64"]
    assert "did you mean 'api.list'?" in result.stderr


def test_unwritable_ready_file(shop: Path, command: Command, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path, reason in (("folder", "Is a directory"), ("none/ready.json", "No such file or directory")):
        result = command("serve", "shop.yaml", "--ready-file", path, environment=SECRET)
        assert result.returncode == 1
        (line,) = (line for line in result.stderr.splitlines() if "--ready-file" in line)
        assert line.startswith("adapter-host: --ready-file: cannot ")
        assert line.endswith(f"'{path}': {reason}")
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize("content", ["mine", '["exposers"]', '{"exposers": [], "mine": 1}', "\0"])
def test_ready_file_replaces_no_other_file(content: str, shop: Path, command: Command, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(content)
    result = command("serve", "shop.yaml", "--ready-file", "mine.json", environment=SECRET)
    assert (result.returncode, path.read_text()) == (1, content)
    assert (
        "adapter-host: --ready-file: 'mine.json' has other content; choose another file, or delete it" in result.stderr
    )


def test_script_runs_the_module() -> None:
    script = Path(sys.executable).with_name("adapter-host")
    assert script.read_text().count("adapter_host.cli") == 1
    result = subprocess.run(
        [sys.executable, "-m", "adapter_host", "--version"], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("adapter-host ")
