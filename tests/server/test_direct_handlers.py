"""Tests of direct handlers, which bypass an exposer's application but not its access check."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from adapter_host import PRINCIPAL, Host, HttpExposer, HttpExposerConfig, Plugins, RegisterExposer, attach, hookimpl
from adapter_host.testing import FakePlugin, Running, running

BEARER = {"type": "bearer", "token": "s3cr3t"}
AUTHORIZED = {"Authorization": "Bearer s3cr3t"}


class Quick(HttpExposer[HttpExposerConfig]):
    """Reports which way a request took; `/slow` has no direct handler, and `/held` blocks."""

    config_class = HttpExposerConfig

    def build_app(self) -> web.Application:
        self.entered, self.cancelled, self.release = asyncio.Event(), asyncio.Event(), asyncio.Event()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.slow)
        return app

    def direct_handler(self, request: web.Request) -> Handler | None:
        if request.path.endswith("/slow"):
            return None
        return self.held if request.path.endswith("/held") else self.quick

    async def quick(self, request: web.Request) -> web.Response:
        return web.json_response({"way": "shortcut", "known": request.get(PRINCIPAL) is not None})

    async def slow(self, request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"way": "application", "known": request.get(PRINCIPAL) is not None})

    async def held(self, request: web.Request) -> web.Response:
        self.entered.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return await self.quick(request)


class Guarded(Quick):
    """Overrides only the application."""

    def build_app(self) -> web.Application:
        app = super().build_app()
        app.middlewares.append(refuse)
        return app


class Renewed(Guarded):
    """Overrides both."""

    def direct_handler(self, request: web.Request) -> Handler | None:
        return super().direct_handler(request)


@web.middleware
async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
    raise web.HTTPForbidden


@web.middleware
async def pass_on(request: web.Request, handler: Handler) -> web.StreamResponse:
    return await handler(request)


class QuickPlugin:
    """The plugin of the exposers."""

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("quick", Quick)
        register("guarded", Guarded)
        register("renewed", Renewed)


class MiddlewarePlugin:
    """Adds a middleware to every exposer."""

    @hookimpl
    def http_middlewares(self) -> Iterable[Middleware]:
        return [pass_on]


def document(*types: str, **more: Any) -> dict[str, Any]:
    exposes = [{"type": type, "namespace": f"{type}-{i}", "port": 0, **more} for i, type in enumerate(types)]
    return {"naftiko": "1.0.0-alpha2", "capability": {"exposes": exposes}}


def plugins(**more: object) -> Plugins:
    return Plugins({"quick": QuickPlugin(), "fake": FakePlugin(), **more})


@asynccontextmanager
async def served(type: str = "quick", more: Plugins | None = None, **entry: Any) -> AsyncIterator[tuple[Running, str]]:
    async with running(document(type, **entry), plugins=more or plugins()) as host:
        yield host, host.url(f"{type}-0")


async def way(url: str, method: str = "GET", **given: Any) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.request(method, url, **given) as response:
        return response.status, (
            await response.json(content_type=None) if response.content_type.endswith("json") else None
        )


async def test_direct_handler_serves_its_paths() -> None:
    async with served() as (_, url):
        assert await way(f"{url}/x") == (200, {"way": "shortcut", "known": False})
        assert await way(f"{url}/slow") == (200, {"way": "application", "known": False})
        async with aiohttp.ClientSession() as session, session.head(f"{url}/x") as response:
            assert (response.status, await response.read(), response.headers["Content-Length"]) == (200, b"", "35")


async def test_expect_continue_goes_to_the_application() -> None:
    async with served() as (_, url):
        assert (await way(f"{url}/x", "POST", data=b"x" * 1000, expect100=True))[1]["way"] == "application"


async def test_direct_handler_checks_access() -> None:
    async with served(authentication=BEARER) as (_, url):
        for path in ("x", "slow"):
            assert (await way(f"{url}/{path}"))[0] == 401
            assert (await way(f"{url}/{path}", headers={"Host": "evil.example.com"}))[0] == 421
            assert (await way(f"{url}/{path}", headers={"Origin": "https://evil.example.com"}))[0] == 403
            status, response = await way(f"{url}/{path}", headers=AUTHORIZED)
            assert (status, response["known"]) == (200, True)


@pytest.mark.parametrize(("type", "status"), [("guarded", 403), ("renewed", 200)])
async def test_subclass_with_own_application(type: str, status: int) -> None:
    async with served(type) as (_, url):
        assert (await way(f"{url}/x"))[0] == status


async def test_middlewares_disable_the_direct_handler() -> None:
    async with served(more=plugins(middleware=MiddlewarePlugin())) as (_, url):
        assert (await way(f"{url}/x"))[1]["way"] == "application"


async def test_direct_handlers_on_a_shared_port() -> None:
    shared = document("quick", "guarded", "quick")
    async with running(shared, plugins=plugins()) as host:
        port = host.url("quick-0").rpartition(":")[2]
    for exposer in shared["capability"]["exposes"]:
        exposer["port"] = int(port)
    async with Host(shared, plugins=plugins()) as together:
        for status in together.status():
            assert status.url is not None
            expected = 403 if status.type == "guarded" else 200
            assert (await way(f"{status.url}/x"))[0] == expected
        assert (await way(f"http://127.0.0.1:{port}/nothing"))[0] == 404
        assert (await way(f"http://127.0.0.1:{port}/"))[0] == 404


async def test_reload_completes_direct_requests() -> None:
    async with served() as (host, url):
        (status,) = host.host.status()
        quick = cast("Quick", status.exposer)
        calling = asyncio.create_task(way(f"{url}/held"))
        await quick.entered.wait()
        await host.host.reload()
        assert (await way(f"{url}/x"))[0] == 200
        quick.release.set()
        assert await calling == (200, {"way": "shortcut", "known": False})


async def test_disconnect_cancels_direct_requests() -> None:
    async with served() as (host, url):
        quick = cast("Quick", host.host.status()[0].exposer)
        calling = asyncio.create_task(way(f"{url}/held"))
        await quick.entered.wait()
        calling.cancel()
        await asyncio.wait_for(quick.cancelled.wait(), 10)


async def test_attached_host_uses_the_application() -> None:
    app = web.Application()
    attach(app, Host(document("quick"), plugins=plugins()), prefix="/api")
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        assert (await way(f"http://127.0.0.1:{runner.addresses[0][1]}/api/quick-0/x"))[1]["way"] == "application"
    finally:
        await runner.cleanup()
