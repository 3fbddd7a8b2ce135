"""Fixtures of all tests: a clean environment, no network but loopback, and the command as a process."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import os
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapter_host.cli import main

from .support.adapters import Recorder
from .support.command import DOCUMENT, SECRET, Serve, Serving, Upstream, wait_for_file

Command = Callable[..., subprocess.CompletedProcess[str]]

_KEPT = ("PATH", "HOME", "LANG", "SSL_CERT_FILE", "TMPDIR", "VIRTUAL_ENV")
_KEPT_PREFIXES = ("COV", "HYPOTHESIS", "LC_", "PYTEST", "PYTHON")


def _refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    """Allow connections to loopback only; an audit hook cannot be removed, so it holds for every test."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if not _is_local(host):
        raise PermissionError(f"a test may not reach {host!r}")


def _is_local(host: Any) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


sys.addaudithook(_refuse_network)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the long files first, so that no worker has one left at the end."""
    items.sort(key=lambda item: item.get_closest_marker("early") is None)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove secrets, proxies and settings of the user from the environment."""
    for name in list(os.environ):
        if name not in _KEPT and not name.startswith(_KEPT_PREFIXES):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def kept_logging() -> Iterator[None]:
    """Restore the handlers of the root logger, which `main` may replace by one that writes to the stream of a test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Return a function that runs `adapter-host` in this process and an empty folder; `environment` is added."""
    # `serve` configures logging and the garbage collector, which belong to this process.
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    monkeypatch.setattr(gc, "freeze", lambda: None)

    def run(*arguments: str | Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        words = list(map(str, arguments))
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            for name, value in (environment or {}).items():
                patch.setenv(name, value)
            try:
                code = main(words)
            except SystemExit as usage:
                code = int(usage.code or 0)
        output = capsys.readouterr()
        return subprocess.CompletedProcess(words, code, output.out, output.err)

    thresholds = gc.get_threshold()
    yield run
    gc.set_threshold(*thresholds)


@pytest.fixture
def recorder() -> Recorder:
    """Return a plugin whose adapters record events."""
    return Recorder()


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    api = Upstream()
    app = web.Application()
    app.router.add_get("/things", api.respond)
    async with TestServer(app) as server:
        api.url = str(server.make_url("")).rstrip("/")
        yield api
        api.release.set()


@pytest.fixture
def serve(tmp_path: Path, upstream: Upstream) -> Serve:
    """Serve the shop in a new process until the block ends."""

    @asynccontextmanager
    async def serving(
        *options: str, environment: dict[str, str] | None = None, document: str = DOCUMENT
    ) -> AsyncIterator[Serving]:
        (tmp_path / "shop.yaml").write_text(document)
        ready = tmp_path / "ready.json"
        secrets = SECRET if environment is None else environment
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "adapter_host", "serve", "shop.yaml",
            "--base-uri", f"api={upstream.url}", "--ready-file", str(ready), "--watch-interval", "0.05", *options,
            stdout=PIPE, stderr=PIPE, cwd=tmp_path, env={**os.environ, **secrets},
        )  # fmt: skip
        try:
            await wait_for_file(ready, process)
            yield Serving(process, ready)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    return serving
