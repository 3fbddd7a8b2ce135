"""A real server on a free port, which tests can pause, stop and start again."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from redis.asyncio import Redis

import adapter_host_redis
from adapter_host import RegisterStateStore, hookimpl
from adapter_host.testing import StateStoreContract
from adapter_host_redis import RedisStateStore

KEY = "c2l4dGVlbiBieXRlcyBhcmUgbm90IGVub3VnaCBmb3I="
OTHER_KEY = "YW5vdGhlciBrZXkgb2YgdGhpcnR5LXR3byBieXRlcyE="

PREFIXES = (f"prefix-{number}" for number in count())
"""A prefix for the keys of each test, as tests share a server."""

BINARY = shutil.which("redis-server") or shutil.which("valkey-server")


class Server:
    """A server that keeps nothing on disk; `options` are those of its command line.

    `plugin` has the store for hosts.
    """

    plugin: object = adapter_host_redis

    def __init__(self, folder: Path, *options: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start the server; return when it accepts connections."""
        if BINARY is None:
            pytest.skip("neither redis-server nor valkey-server is installed (Debian: apt-get install redis-server)")
        command = [BINARY, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [*command, "--dir", str(self._folder), *self._options, *options], stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if b"Ready to accept connections" in line:
                return
        pytest.fail("the server has not started")

    def pause(self) -> None:
        """Let the kernel accept connections without a response."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the server; connections are reset."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


class PatientStore(RedisStateStore):
    """A store for tests of results: a busy machine may be slow."""

    def __init__(self, url: str, environment: Mapping[str, str]) -> None:
        super().__init__(url, environment, timeout=StateStoreContract.timeout)


class PatientPlugin:
    """Registers the patient store."""

    @hookimpl
    def register_state_stores(self, register: RegisterStateStore) -> None:
        register("redis", PatientStore)


class Stores:
    """Two clients of one server, as `StoreUnderTest`; the server's own timer lets time pass."""

    def __init__(self, server: Server) -> None:
        self.store = PatientStore(server.url, {})
        self.other = PatientStore(server.url, {})
        self._client = Redis(port=server.port)

    async def elapse(self, seconds: float) -> None:
        # The server takes 0 for no timeout, and ends a timeout a little early.
        await self._client.blpop(["no-such-list"], timeout=max(0.001, seconds) + 0.01)

    async def clear(self) -> None:
        await self._client.flushall()

    async def stop(self) -> None:
        await self.store.stop()
        await self.other.stop()
        await self._client.aclose()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for tests that leave it as it is."""
    server = Server(tmp_path_factory.mktemp("redis"))
    server.plugin = PatientPlugin()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that a test can pause and stop."""
    server = Server(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def prefix() -> str:
    """The prefix of the keys of the hosts of a test."""
    return next(PREFIXES)


async def stored(server: Server, prefix: str) -> dict[Any, Any]:
    """Return the values of the hosts by key."""
    async with Redis(port=server.port) as client:
        return {key: await client.get(key) for key in await client.keys(f"*{prefix}:*")}


class Clock:
    """The time, which only the test advances."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock for the circuit breaker."""
    return Clock()


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Serve every request by a handler; yield the URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def settle() -> None:
    """Let the event loop run what is ready."""
    for _ in range(5):
        await asyncio.sleep(0)
