"""Tests of scripts with the command: several workers, and changed files."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from .conftest import Write

pytestmark = pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="processes cannot share a port here")


def document(*steps: dict[str, Any]) -> dict[str, Any]:
    operation = {"method": "GET", "name": "run", "steps": list(steps)}
    resources = [{"path": "/run", "operations": [operation]}]
    exposer = {"type": "rest", "namespace": "front", "port": 0, "resources": resources}
    return {"naftiko": "1.0.0-alpha2", "capability": {"exposes": [exposer]}}


@asynccontextmanager
async def served(folder: Path, *steps: dict[str, Any], options: tuple[str, ...]) -> AsyncIterator[tuple[Process, str]]:
    """Run the command; return its process and the URL of the steps."""
    (folder / "it.yaml").write_text(json.dumps(document(*steps)))
    ready = folder / "ready.json"
    command = ("-m", "adapter_host", "serve", "--ready-file", str(ready), *options, str(folder / "it.yaml"))
    environment = {name: value for name, value in os.environ.items() if name.startswith(("PATH", "PYTHON"))}
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stderr=PIPE, env=environment)
    try:
        async with asyncio.timeout(50):
            while not ready.exists():
                assert process.returncode is None
                await asyncio.sleep(0.02)
        url = json.loads(ready.read_text())["exposers"][0]["url"]
        yield process, f"{url}/run"
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.communicate()
    assert process.returncode == 0


async def get_json(url: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.json()


async def test_scripts_with_several_workers(write: Write, tmp_path: Path) -> None:
    steps = (write("result = 1"), write("result = context['main'] + 1", "python", "next"))
    async with served(tmp_path, *steps, options=("--workers", "2")) as (_, url):
        assert [await get_json(url) for _ in range(8)] == [2] * 8


async def test_changed_script_is_reloaded(write: Write, tmp_path: Path) -> None:
    step = write("result = 'one'", "python")
    async with served(tmp_path, step, options=("--reload",)) as (process, url):
        assert await get_json(url) == "one"
        write("result = ", "python")
        assert process.stderr is not None
        while b"main.py:1:10: invalid Python: invalid syntax" not in await process.stderr.readline():
            pass
        assert await get_json(url) == "one"
        write("result = 'two'", "python")
        while b"reloaded" not in await process.stderr.readline():
            pass
        assert await get_json(url) == "two"
