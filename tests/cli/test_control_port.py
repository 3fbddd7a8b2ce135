"""Tests of the command with a control port: reloads, and the drain, with one process and with workers."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.command import DOCUMENT, Serve, Serving, Upstream

CONTROL = """naftiko: 1.0.0-alpha2
capability:
  exposes:
    - {type: control, port: 0, management: {reload: true, validate: true}}
"""


@pytest.fixture(params=["1", "2"])
def workers(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param != "1" and not hasattr(socket, "SO_REUSEPORT"):
        pytest.skip("processes cannot share a port here")
    (tmp_path / "control.yaml").write_text(CONTROL)
    return str(request.param)


async def ask(served: Serving, method: str, path: str) -> tuple[int, Any]:
    """Send a request to the control exposer on a new connection."""
    url = served.urls["control"]
    async with aiohttp.ClientSession() as session, session.request(method, f"{url}{path}") as response:
        return response.status, await response.json(content_type=None)


async def test_reload_by_request(serve: Serve, workers: str, tmp_path: Path) -> None:
    async with serve("--workers", workers, "--capability", "control.yaml") as served:
        file = tmp_path / "shop.yaml"
        file.write_text(DOCUMENT.replace("call: api.list}", "call: api.lst}", 1))
        status, body = await ask(served, "POST", "/config/reload")
        assert (status, [problem["code"] for problem in body["problems"]]) == (422, ["unknown-call"])
        file.write_text(DOCUMENT.replace("- path: /things", "- path: /moved"))
        status, body = await ask(served, "POST", "/config/reload")
        assert (status, body["status"]) == (200, "UP"), body
        assert sorted(each["namespace"] for each in body["adapters"]) == ["control", "shop", "tools"]
        await served.wait_for_log("reloaded", times=int(workers))
        for _ in range(10):
            assert (await served.get("/moved"))[0] == 200
        assert served.ready.exists()


async def test_not_ready_during_drain_delay(serve: Serve, workers: str) -> None:
    async with serve("--workers", workers, "--drain-delay", "3600", "--capability", "control.yaml") as served:
        assert (await ask(served, "GET", "/health/ready"))[0] == 200
        served.process.send_signal(signal.SIGTERM)
        await served.wait_for_log("draining")
        while (await ask(served, "GET", "/health/ready"))[0] == 200:
            pass
        status, body = await ask(served, "GET", "/health/ready")
        assert (status, body["status"]) == (503, "DRAINING")
        assert (await ask(served, "GET", "/health/live"))[0] == 200
        assert (await served.get())[0] == 200
        served.process.send_signal(signal.SIGTERM)
        assert (await served.wait_until_exit())[0] == 143


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="processes cannot share a port here")
async def test_control_port_of_each_worker(serve: Serve, upstream: Upstream) -> None:
    watched = DOCUMENT.replace("  exposes:\n", "  exposes:\n    - {type: control, port: 0}\n")
    async with serve("--workers", "2", document=watched) as served:
        line = await served.wait_for_log("has a port for each worker")
        ports = [int(port) for port in line.rpartition(": ")[2].split(",")]
        assert len(set(ports)) == 2
        while len(upstream.peers) < 2:
            assert (await served.get())[0] == 200
        counted = [await requests_counted(port) for port in ports]
        assert min(counted) > 0
        assert sum(counted) == len(upstream.authorizations)


async def requests_counted(port: int) -> float:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as response:
        lines = (await response.text()).splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("naftiko_request_total{"))
