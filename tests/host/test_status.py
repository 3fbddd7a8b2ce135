"""Tests of the host's status, and of reloads requested through the host itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from adapter_host import HOST, Exposer, Host, Plugins, RegisterExposer, Settings, StartError, attach, hookimpl
from tests.support.adapters import PlainExposer, Recorder, document, plain, plain_plugins

OPERATION = {"name": "get", "outputParameters": [{"type": "string", "value": "one"}]}


class WatchingExposer(PlainExposer):
    """`type: watching`: reports whether its host is ready, and reloads it."""

    monitors_host = True

    def build_app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/ready", self._ready)
        app.router.add_post("/reload", self._reload)
        return app

    async def _ready(self, request: web.Request) -> web.Response:
        return web.json_response(request.app[HOST].ready)

    async def _reload(self, request: web.Request) -> web.Response:
        await request.app[HOST].reload()
        return web.json_response(request.app[HOST].status()[-1].url)


class FailingExposer(Exposer[Any]):
    """`type: failing`: reports a failure."""

    @property
    def failure(self) -> str | None:
        return "it is lost"


class Watching:
    """The plugin of `type: watching` and `type: failing`."""

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("watching", WatchingExposer)
        register("failing", FailingExposer)


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until a condition holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 -- what is waited for is not this test's to signal
            await asyncio.sleep(0)


def plugins(**more: object) -> Plugins:
    return plain_plugins(watching=Watching(), **more)


def watching(port: int = 0) -> dict[str, Any]:
    return {"type": "watching", "namespace": "watch", "port": port}


def host(*documents: Any, recorder: Recorder | None = None, **settings: Any) -> Host:
    more = {"noted": recorder} if recorder else {}
    return Host(*documents, plugins=plugins(**more), settings=Settings(**{"environment": {}, **settings}))


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def serving(of: Host) -> dict[str, bool]:
    return {status.namespace: status.serving for status in of.status()}


async def test_ready_between_start_and_drain(recorder: Recorder) -> None:
    served = host(document({"type": "noted", "namespace": "n"}, plain(OPERATION), watching()), recorder=recorder)
    assert (served.ready, served.started, set(serving(served).values())) == (False, None, {False})
    async with served:
        assert (served.ready, served.started is not None, set(serving(served).values())) == (True, True, {True})
        await served.drain()
        assert (served.ready, served.started is not None) == (False, True)
        assert serving(served) == {"n": False, "front": False, "watch": True}
    assert (served.ready, served.started, set(serving(served).values())) == (False, None, {False})
    async with served:
        assert served.ready


async def test_exposer_failure_in_status() -> None:
    async with host(document({"type": "failing", "namespace": "lost"}, plain(OPERATION))) as served:
        assert serving(served) == {"lost": False, "front": True}
        assert [status.exposer.failure for status in served.status()] == ["it is lost", None]


async def test_monitoring_port_stays_open_while_draining(session: aiohttp.ClientSession) -> None:
    async with host(document(plain(OPERATION), watching())) as served:
        front, watch = (status.url for status in served.status())
        async with session.get(f"{watch}/ready") as response:
            assert await response.json() is True
        await served.drain()
        async with aiohttp.ClientSession() as other, other.get(f"{watch}/ready") as response:
            assert await response.json() is False
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.post(f"{front}/get")


async def test_drain_delay_keeps_serving_while_not_ready(session: aiohttp.ClientSession) -> None:
    async with host(document(plain(OPERATION)), drain_delay=3600) as served:
        drain = asyncio.create_task(served.drain())
        await until(lambda: not served.ready)
        async with session.post(f"{served.status()[0].url}/get") as response:
            assert response.status == 200
        assert (served.draining, serving(served)) == (False, {"front": True})
        drain.cancel()
        served.settings = Settings()


async def test_drain_delay_is_skipped_without_listeners() -> None:
    app = web.Application()
    served = host(document(plain(OPERATION)), drain_delay=3600)
    attach(app, served)
    runner = web.AppRunner(app)
    await runner.setup()
    assert served.attached
    assert served.ready
    assert serving(served) == {"front": True}
    await runner.cleanup()
    assert served.started is None


async def test_reload_from_a_request(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """The request that triggers the reload gets a response, although its port is closed by the reload."""
    file = tmp_path / "a.yaml"
    text = """naftiko: 1.0.0-alpha2
capability:
  exposes:
    - {type: watching, namespace: NAME, port: 0}
"""
    file.write_text(text.replace("NAME", "old"))
    async with host(file) as served:
        (before,) = served.status()
        started = served.started
        file.write_text(text.replace("NAME", "new"))
        async with session.post(f"{before.url}/reload") as response:
            after = await response.json()
        assert after != before.url
        assert served.started == started
        async with session.get(f"{after}/ready") as response:
            assert await response.json() is True
        with pytest.raises(aiohttp.ClientConnectorError):
            async with aiohttp.ClientSession() as other:
                await other.get(f"{before.url}/ready")


class Slow:
    """A plugin that blocks compilation until `go_on` is set."""

    def __init__(self) -> None:
        self.entered, self.go_on = asyncio.Event(), threading.Event()
        self._loop = asyncio.get_running_loop()
        self.waits = False

    @hookimpl
    def check_capability(self) -> None:
        if self.waits:
            self._loop.call_soon_threadsafe(self.entered.set)
            self.go_on.wait()


async def give_up(served: Host, wanted: dict[str, Any], slow: Slow) -> None:
    """Request a reload, and cancel the request once the reload is in progress."""
    slow.entered.clear()
    slow.go_on.clear()
    asked = asyncio.create_task(served.reload(document(wanted)))
    await slow.entered.wait()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    slow.go_on.set()


async def test_reload_survives_cancellation(caplog: pytest.LogCaptureFixture) -> None:
    slow = Slow()
    async with Host(
        document(plain(OPERATION)), plugins=plugins(slow=slow), settings=Settings(environment={})
    ) as served:
        slow.waits = True
        await give_up(served, plain(OPERATION, namespace="new"), slow)
        await until(lambda: list(serving(served)) == ["new"])
        await give_up(served, plain({"call": "x.y"}, namespace="newer"), slow)
        await until(lambda: "reload failed" in caplog.text)
        assert serving(served) == {"new": True}


async def test_drain_cancels_a_reload() -> None:
    slow = Slow()
    async with Host(
        document(plain(OPERATION)), plugins=plugins(slow=slow), settings=Settings(environment={})
    ) as served:
        slow.waits = True
        asked = asyncio.create_task(served.reload(document(plain(OPERATION, namespace="new"))))
        await slow.entered.wait()
        await served.drain()
        with pytest.raises(StartError, match="reload cancelled; the host is stopping"):
            await asked
        with pytest.raises(StartError, match="the host is draining"):
            await served.reload()
        assert list(serving(served)) == ["front"]
        slow.go_on.set()


def test_check_reports_problems_of_a_reload(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    text = """naftiko: 1.0.0-alpha2
capability:
  exposes:
    - type: plain
      namespace: front
      port: 0
      operations: [{name: get, outputParameters: [{type: string, value: one}]}]
"""
    file.write_text(text)
    loaded = host(file)
    assert loaded.check() == ()
    file.write_text(text + "      autentication: {type: bearer}\n")
    (warning,) = loaded.check()
    assert (warning.code, warning.warning, warning.line) == ("unknown-key", True, 8)
    file.write_text(text + '      authentication: {type: bearer, token: "{{TOKEN}}"}\n')
    assert [problem.code for problem in loaded.check()] == ["unresolved-secret"]
    file.write_text(text.replace("port: 0", "port: x"))
    assert [(problem.code, problem.line) for problem in loaded.check()] == [("type", 6)]
    assert loaded.warnings == ()


def test_secrets_are_masked() -> None:
    token = {"type": "bearer", "token": "{{env.TOKEN}}"}
    written = {"type": "basic", "username": "me", "password": "pa55/word"}
    binds = [{"namespace": "env", "keys": {"TOKEN": "TOKEN", "OTHER": "OTHER"}}]
    made = document(plain(authentication=token), plain(namespace="b", authentication=written), binds=binds)
    built = host(made, environment={"TOKEN": "s3cr3t", "OTHER": "unused"})
    loaded = built.plans[0].loaded
    text = loaded.masked("s3cr3t, pa55/word, pa55%2Fword and unused of me")
    assert text == "{{env.TOKEN}}, {{password}}, {{password}} and unused of me"
