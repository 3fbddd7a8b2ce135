"""Tests of `adapter-host serve --workers`: shared ports, one table, one drain, restarts."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from syrupy.assertion import SnapshotAssertion

from tests.conftest import Command
from tests.support.command import DOCUMENT, SECRET, Serve, Serving, Upstream

pytestmark = [
    pytest.mark.early,
    pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="processes cannot share a port here"),
]


async def test_workers_share_ports(serve: Serve, upstream: Upstream) -> None:
    async with serve("--workers", "2") as served:
        await call_both_workers(served, upstream)
        served.process.send_signal(signal.SIGTERM)
        code, err = await served.wait_until_exit()
    assert code == 0
    assert not served.ready.exists()
    assert err.count("capability  ") == err.count("curl ") == 1
    events = [line.rpartition("adapter_host: ")[2] for line in err.splitlines() if " INFO adapter_host: " in line]
    assert events == ["serving with 2 workers", "draining", "stopped"]


async def call_both_workers(served: Serving, upstream: Upstream) -> None:
    """Send requests until two processes have called the API, each over its own connections."""
    upstream.peers.clear()
    async with asyncio.timeout(20):
        while len(upstream.peers) < 2:
            assert await served.get() == (200, ["one", "two"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_completes_calls_in_flight(number: signal.Signals, serve: Serve, upstream: Upstream) -> None:
    async with serve("--workers", "2") as served:
        await call_both_workers(served, upstream)
        upstream.release.clear()
        asked = len(upstream.authorizations) + 8
        calls = [asyncio.create_task(served.get()) for _ in range(8)]
        while len(upstream.authorizations) < asked:
            upstream.reached.clear()
            await upstream.reached.wait()
        # A terminal sends its signals to every process of the command.
        for process in (served.process.pid, *children(served)):
            os.kill(process, number)
        await served.wait_for_log("draining")
        upstream.release.set()
        assert await asyncio.gather(*calls) == [(200, ["one", "two"])] * 8
        assert (await served.wait_until_exit())[0] == 0


def children(served: Serving) -> list[int]:
    process = served.process.pid
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


async def test_second_signal_exits_immediately(serve: Serve, upstream: Upstream) -> None:
    upstream.release.clear()
    async with serve("--workers", "2") as served:
        call = asyncio.create_task(served.get())
        await upstream.reached.wait()
        served.process.send_signal(signal.SIGTERM)
        await served.wait_for_log("draining")
        served.process.send_signal(signal.SIGTERM)
        assert (await served.wait_until_exit())[0] == 143
        with pytest.raises(aiohttp.ClientError):
            await call


async def test_dead_worker_is_replaced(serve: Serve, upstream: Upstream) -> None:
    async with serve("--workers", "2") as served:
        before = set(children(served))
        assert len(before) == 2
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        await served.wait_for_log(f"(pid {victim}) exited: signal SIGKILL; restarting")
        await call_both_workers(served, upstream)
        after = set(children(served))
        assert len(after) == 2
        assert before - after == {victim}


async def test_workers_exit_with_the_supervisor(serve: Serve) -> None:
    async with serve("--workers", "2") as served:
        served.process.kill()
        # Their standard error closes when the last of them exits.
        code, err = await served.wait_until_exit()
    assert code == -signal.SIGKILL
    assert "Traceback" not in err


async def test_all_workers_reload(serve: Serve, tmp_path: Path) -> None:
    async with serve("--workers", "2") as served:
        file = tmp_path / "shop.yaml"
        file.write_text(DOCUMENT.replace("call: api.list}", "call: api.lst}"))
        served.process.send_signal(signal.SIGHUP)
        await served.wait_for_log("reload failed; still serving the previous version")
        assert (await served.get())[0] == 200
        file.write_text(DOCUMENT.replace("- path: /things\n          operations:\n            - {method", MOVED))
        served.process.send_signal(signal.SIGHUP)
        await served.wait_for_log("reloaded", times=2)
        for _ in range(10):
            assert (await served.get("/moved"))[0] == 200
            assert (await served.get("/things"))[0] == 404


async def test_workers_reload_when_a_file_changes(serve: Serve, tmp_path: Path) -> None:
    async with serve("--workers", "2", "--reload") as served:
        fresh = tmp_path / "fresh"
        fresh.write_text(DOCUMENT.replace("- path: /things\n          operations:\n            - {method", MOVED))
        fresh.rename(tmp_path / "shop.yaml")
        await served.wait_for_log("reloaded", times=2)
        for _ in range(10):
            assert (await served.get("/moved"))[0] == 200


MOVED = "- path: /moved\n          operations:\n            - {method"


async def test_sessions_work_across_workers(serve: Serve, upstream: Upstream) -> None:
    async with serve("--workers", "2") as served:
        _, headers = await ask(served, "initialize", INITIALIZE)
        session = {"Mcp-Session-Id": headers["Mcp-Session-Id"], "MCP-Protocol-Version": "2025-11-25"}
        async with asyncio.timeout(20):
            while len(upstream.peers) < 2:
                response, _ = await ask(served, "tools/call", {"name": "list-things", "arguments": {}}, session)
                assert response["result"]["isError"] is False


INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


async def ask(
    served: Serving, method: str, params: dict[str, Any], headers: dict[str, str] | None = None
) -> tuple[dict[str, Any], Any]:
    """Send a request to the MCP exposer on a new connection."""
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    sent = {"Accept": "application/json, text/event-stream", **(headers or {})}
    async with (
        aiohttp.ClientSession() as session,
        session.post(served.urls["tools"], json=message, headers=sent) as response,
    ):
        assert response.status == 200
        return await response.json(), response.headers


async def test_logs_say_which_worker(serve: Serve, upstream: Upstream) -> None:
    async with serve("--workers", "2", "--log-format", "json") as served:
        headers = {"Host": "evil.example"}
        async with aiohttp.ClientSession() as session, session.get(served.urls["shop"], headers=headers) as response:
            assert response.status == 421
        served.process.send_signal(signal.SIGTERM)
        _, err = await served.wait_until_exit()
    (line,) = (line for line in err.splitlines() if "evil.example" in line)
    assert '"worker":1' in line or '"worker":2' in line
    (line,) = (line for line in err.splitlines() if "adapter_host.access" in line)
    assert '"worker":1' in line or '"worker":2' in line


def test_start_errors_are_printed_once(tmp_path: Path, command: Command) -> None:
    (tmp_path / "shop.yaml").write_text(DOCUMENT)
    missing = command("serve", "shop.yaml", "--workers", "2")
    assert (missing.returncode, missing.stderr.count("is not set")) == (1, 1)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        taken = command("serve", "shop.yaml", "--workers", "2", "--port", f"tools={port}", environment=SECRET)
    assert (taken.returncode, taken.stderr.count("address already in use")) == (1, 1)


async def test_second_command_cannot_take_the_port(serve: Serve, tmp_path: Path, command: Command) -> None:
    async with serve("--workers", "2") as served:
        port = served.urls["shop"].rpartition(":")[2]
        options = ("--workers", "2", "--port", f"shop={port}")
        result = command("serve", "shop.yaml", *options, environment=SECRET)
    assert result.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: address already in use" in result.stderr


@pytest.mark.parametrize(("options", "code"), [(("--workers", "0"), 2), (("--workers", "2", "--stdio"), 1)])
def test_options_that_exclude_workers(
    options: tuple[str, ...], code: int, tmp_path: Path, command: Command, snapshot: SnapshotAssertion
) -> None:
    (tmp_path / "shop.yaml").write_text(DOCUMENT)
    result = command("serve", "shop.yaml", *options, environment=SECRET)
    assert result.returncode == code
    assert result.stderr.splitlines()[0] == snapshot
