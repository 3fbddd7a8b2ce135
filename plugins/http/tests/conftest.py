"""An API on a real socket with configurable responses, and a host that calls it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from multidict import CIMultiDict, MultiDict

import adapter_host_http
from adapter_host import (
    ConsumedOperation,
    Consumer,
    Exposer,
    ExposerConfig,
    Host,
    Plugins,
    Problem,
    ProblemsError,
    RegisterExposer,
    Settings,
    hookimpl,
)

SLOW = 50.0
"""Seconds that a conversion may take on a machine that is busy with other tests."""

Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class RecordedRequest:
    """A request that the API received."""

    method: str
    target: str
    query: MultiDict[str]
    headers: CIMultiDict[str]
    body: bytes


@dataclass
class Api:
    """The API: the requests it received, and the function that responds."""

    url: str = ""
    requests: list[RecordedRequest] = field(default_factory=list)
    reply: Reply | None = None
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def last(self) -> RecordedRequest:
        return self.requests[-1]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        target = request.raw_path if request.raw_path.startswith("/") else str(request.rel_url)
        headers = CIMultiDict(request.headers)
        self.requests.append(
            RecordedRequest(request.method, target, MultiDict(request.query), headers, await request.read())
        )
        try:
            if self.reply is not None:
                return await self.reply(request)
        except asyncio.CancelledError:
            self.closed.set()
            raise
        return web.json_response({"ok": True})


class NullExposer(Exposer[ExposerConfig]):
    """An exposer that serves nothing, as a document needs an exposer."""

    @staticmethod
    @hookimpl
    def register_exposers(register: RegisterExposer) -> None:
        for name in ("silent", "rest", "mcp"):
            register(name, NullExposer)


def plugins() -> Plugins:
    """Return the consumer under test and the null exposer."""
    return Plugins({"http": adapter_host_http, "silent": NullExposer})


def document(consumer: Mapping[str, Any], binds: Mapping[str, str]) -> dict[str, Any]:
    """Return a document that consumes one API."""
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Test"},
        "binds": [{"namespace": "env", "keys": dict(binds)}] if binds else [],
        "capability": {
            "consumes": [{"type": "http", "namespace": "api", **consumer}],
            "exposes": [{"type": "silent", "namespace": "none"}],
        },
    }


@dataclass
class StartedHost:
    """A started host with one consumer."""

    host: Host

    @property
    def consumer(self) -> Consumer[Any]:
        return self.host.plans[0].consumers[0]

    @property
    def operations(self) -> Sequence[ConsumedOperation]:
        return self.consumer.operations()

    @property
    def operation(self) -> ConsumedOperation:
        return self.operations[0]

    @property
    def warnings(self) -> list[str]:
        return [problem.message for problem in self.host.warnings]

    async def __call__(self, **arguments: Any) -> Any:
        return (await self.operation.call(arguments)).data


Start = Callable[..., Awaitable[StartedHost]]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """Yield an API that responds with `{"ok": true}` by default."""
    api = Api()
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", api.serve)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    api.url = f"http://{host}:{port}"
    yield api
    await runner.cleanup()


@pytest.fixture
def load() -> Callable[..., Host]:
    """Return a function that creates the host of a file without serving it."""
    return lambda file, **settings: Host(file, plugins=plugins(), settings=Settings(**settings))


def single_operation(
    operation: Mapping[str, Any] | None = None, *, path: str = "/things", **consumer: Any
) -> dict[str, Any]:
    """Return a consumer with one operation."""
    declared = {"name": "do", "method": "GET", **(operation or {})}
    return {"resources": [{"name": "things", "path": path, "operations": [declared]}], **consumer}


@pytest.fixture
async def start(api: Api) -> AsyncIterator[Start]:
    """Return a function that starts a host with one operation that calls the API."""
    async with AsyncExitStack() as stack:

        async def start(
            operation: Mapping[str, Any] | None = None,
            *,
            path: str = "/things",
            secrets: Mapping[str, str] | None = None,
            settings: Mapping[str, Any] | None = None,
            **consumer: Any,
        ) -> StartedHost:
            secrets = secrets or {}
            declared = {"baseUri": api.url, **single_operation(operation, path=path, **consumer)}
            host = Host(
                document(declared, {name: name for name in secrets}),
                plugins=plugins(),
                settings=Settings(**{"environment": secrets, "conversion_timeout": SLOW, **(settings or {})}),
            )
            await stack.enter_async_context(host)
            return StartedHost(host)

        yield start


@pytest.fixture
def problems() -> Callable[..., list[Problem]]:
    """Return a function that reports a consumer's problems without starting it."""

    def problems(
        operation: Mapping[str, Any] | None = None,
        *,
        path: str = "/things",
        secrets: Mapping[str, str] | None = None,
        settings: Mapping[str, Any] | None = None,
        **consumer: Any,
    ) -> list[Problem]:
        secrets = secrets or {}
        declared = {"baseUri": "http://127.0.0.1:1", **single_operation(operation, path=path, **consumer)}
        document_ = document(declared, {name: name for name in secrets})
        try:
            host = Host(document_, plugins=plugins(), settings=Settings(**{"environment": secrets, **(settings or {})}))
        except ProblemsError as error:
            return list(error.problems)
        return list(host.warnings)

    return problems
