"""An upstream API with planned failures on a real socket, a host that calls it, and a clock that can be advanced."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

import adapter_host_http
import adapter_host_resilience
import adapter_host_rest
from adapter_host import ConsumedOperation, Host, Plugins
from adapter_host.testing import FakePlugin, Running, running

Responder = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Api:
    """The upstream API: received requests, and planned responses; `{"ok": true}` after these."""

    url: str = ""
    received: list[str] = field(default_factory=list)
    responders: list[Responder] = field(default_factory=list)
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    def fail(self, *statuses: int, **headers: str) -> None:
        """Respond to the next requests with these statuses."""
        for status in statuses:
            self.responders.append(responding_with(status, headers))

    def hold(self) -> HeldResponse:
        """Hold the response to the next request."""
        held_response = HeldResponse()
        self.responders.append(held_response)
        return held_response

    async def requests(self, count: int) -> None:
        """Wait until `count` requests have been received."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.received) >= count)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        async with self._arrived:
            self.received.append(f"{request.method} {request.path}")
            self._arrived.notify_all()
        reply = self.responders.pop(0) if self.responders else responding_with(200, {})
        return await reply(request)


def responding_with(status: int, headers: Mapping[str, str]) -> Responder:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def reply(_: web.Request) -> web.StreamResponse:
        return web.json_response({"ok": status < 300}, status=status, headers=named)

    return reply


async def abort_connection(request: web.Request) -> web.StreamResponse:
    """Abort the connection instead of responding."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


class HeldResponse:
    """A response that waits for `release`; `gone` is set when the client disconnects."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.gone = asyncio.Event()

    async def __call__(self, _: web.Request) -> web.StreamResponse:
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.gone.set()
            raise
        return web.json_response({"ok": True})


@asynccontextmanager
async def serving(handler: Responder) -> AsyncIterator[str]:
    """Serve every request by a handler; yield the URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """Serve the upstream API."""
    api = Api()
    async with serving(api.serve) as api.url:
        yield api


class LogRecords(logging.Handler):
    """Records the messages that the plugin logs."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self._arrived = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
        self._arrived.set()

    async def wait(self) -> str:
        """Wait for the next message."""
        await self._arrived.wait()
        self._arrived.clear()
        return self.messages[-1]


@pytest.fixture
def log() -> Iterator[LogRecords]:
    logger = logging.getLogger("adapter_host.resilience")
    level, log = logger.level, LogRecords()
    logger.setLevel(logging.DEBUG)
    logger.addHandler(log)
    yield log
    logger.removeHandler(log)
    logger.setLevel(level)


class Clock:
    """The clock of the event loop, which can be advanced."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ahead = 0.0
        loop = asyncio.get_running_loop()
        real = loop.time
        monkeypatch.setattr(loop, "time", lambda: real() + self._ahead)

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


OPERATIONS: dict[str, Any] = {
    "resources": [
        {
            "path": "/things",
            "operations": [
                {"name": "read", "method": "GET"},
                {"name": "other", "method": "GET", "path": "/others"},
                {"name": "write", "method": "POST"},
                {"name": "put", "method": "PUT"},
                {"name": "patch", "method": "PATCH"},
                {"name": "delete", "method": "DELETE"},
                {"name": "head", "method": "HEAD"},
                {"name": "options", "method": "OPTIONS"},
                {"name": "large", "method": "GET", "outputRawFormat": "binary"},
            ],
        }
    ]
}
NAMES = [operation["name"] for operation in OPERATIONS["resources"][0]["operations"]]


def document(
    url: str,
    policy: Any = None,
    *,
    operations: Mapping[str, Any] | None = None,
    exposed: Mapping[str, Any] | None = None,
    **config: Any,
) -> dict[str, Any]:
    """Return a document that consumes and exposes all operations, with policies of operations by name."""
    consumed = [
        {**each, **({"x-resilience": (operations or {})[each["name"]]} if each["name"] in (operations or {}) else {})}
        for each in OPERATIONS["resources"][0]["operations"]
    ]
    exposed_operations = [
        {
            "name": name,
            "call": f"things.{name}",
            **({"x-resilience": (exposed or {})[name]} if name in (exposed or {}) else {}),
        }
        for name in NAMES
    ]
    api = {
        "type": "http",
        "namespace": "things",
        "baseUri": url,
        "resources": [{"path": "/things", "operations": consumed}],
        **({} if policy is None else {"x-resilience": policy}),
        **config,
    }
    return {
        "naftiko": "1.0.0-alpha2",
        "capability": {
            "consumes": [api],
            "exposes": [{"type": "fake", "namespace": "front", "operations": exposed_operations}],
        },
    }


def plugins() -> Plugins:
    return Plugins(
        {
            "http": adapter_host_http,
            "rest": adapter_host_rest,
            "resilience": adapter_host_resilience,
            "fake": FakePlugin(),
        }
    )


@dataclass
class Client:
    """A started host."""

    served: Running

    @property
    def host(self) -> Host:
        return self.served.host

    async def __call__(self, name: str = "read") -> Any:
        return (await self.host.call(f"front.{name}", {})).data

    def task(self, name: str = "read") -> asyncio.Task[Any]:
        return asyncio.create_task(self(name))

    def consumed(self, name: str) -> ConsumedOperation:
        return next(operation for operation in self.host.plans[0].consumed if operation.name == name)


Start = Callable[..., Awaitable[Client]]


@pytest.fixture
async def start(api: Api) -> AsyncIterator[Start]:
    """Start a host with these policies."""
    async with AsyncExitStack() as stack:

        async def start(policy: Any = None, *, settings: Mapping[str, Any] | None = None, **policies: Any) -> Client:
            capability = document(api.url, policy, **policies)
            served = await stack.enter_async_context(running(capability, plugins=plugins(), **(settings or {})))
            return Client(served)

        yield start
