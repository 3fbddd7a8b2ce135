"""Tests of reloads: new documents are served without failing a request, or the old ones continue."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapter_host import Host, ProblemsError, Settings, StartError, attach
from adapter_host.testing import FakeConsumer, Running
from tests.support.adapters import Recorder, document, plain, plain_plugins


def saying(word: str, **more: Any) -> dict[str, Any]:
    """Return a document with an operation that returns a constant, without a consumed API."""
    output = {"type": "string", "value": word}
    return document(plain({"name": "get", "outputParameters": [output]}, **more))


def host(*documents: Any, recorder: Recorder | None = None, **settings: Any) -> Host:
    plugins = plain_plugins(**({"noted": recorder} if recorder else {}))
    return Host(*documents, plugins=plugins, settings=Settings(**{"environment": {}, **settings}))


def fake(of: Host) -> FakeConsumer:
    return Running(of).fake("api")


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def ask(session: aiohttp.ClientSession, url: str | None) -> tuple[int, Any]:
    async with session.post(f"{url}/get") as response:
        return response.status, await (response.json() if response.status == 200 else response.text())


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def test_new_document_on_open_connection(session: aiohttp.ClientSession) -> None:
    async with host(saying("one")) as served:
        (before,) = served.status()
        assert await ask(session, before.url) == (200, "one")
        await served.reload(saying("two"))
        (after,) = served.status()
        assert after.url == before.url
        assert after.exposer is not before.exposer
        assert await ask(session, before.url) == (200, "two")


async def test_reload_rereads_files(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    text = """naftiko: 1.0.0-alpha2
capability:
  exposes:
    - type: plain
      namespace: front
      port: 0
      operations: [{name: get, outputParameters: [{type: string, value: WORD}]}]
"""
    file.write_text(text.replace("WORD", "one"))
    async with host(file) as served:
        url = served.status()[0].url
        assert await ask(session, url) == (200, "one")
        file.write_text(text.replace("WORD", "two"))
        await served.reload()
        assert await ask(session, url) == (200, "two")


async def test_invalid_document_keeps_the_old_one(session: aiohttp.ClientSession) -> None:
    async with host(document(plain())) as served:
        url = served.status()[0].url
        with pytest.raises(ProblemsError, match=r"unknown operation 'api\.gett'"):
            await served.reload(document(plain({"call": "api.gett"})))
        bearer = {"type": "bearer", "token": "{{TOKEN}}"}
        with pytest.raises(ProblemsError, match="secret 'TOKEN' is not set"):
            await served.reload(saying("two", authentication=bearer))
        assert await ask(session, url) == (200, {})
        assert fake(served).running
        await served.reload()
        assert await ask(session, url) == (200, {})


async def test_port_in_use_keeps_the_old_document(session: aiohttp.ClientSession) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        async with host(saying("one")) as served:
            url = served.status()[0].url
            with pytest.raises(StartError, match="address already in use"):
                await served.reload(saying("two", port=taken.getsockname()[1]))
            assert await ask(session, url) == (200, "one")
            assert served.status()[0].url == url


async def test_call_in_flight_completes_in_its_generation(session: aiohttp.ClientSession) -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    async def held(arguments: dict[str, Any]) -> str:
        entered.set()
        await release.wait()
        return "old"

    async with host(document(plain())) as served:
        url, old = served.status()[0].url, fake(served)
        old.responses["get"] = held
        call = asyncio.create_task(ask(session, url))
        await entered.wait()
        await served.reload()
        assert await ask(session, url) == (200, {})
        assert (old.running, fake(served).running) == (True, True)
        release.set()
        assert await call == (200, "old")
        await served._replaced.wait()
        assert (old.running, fake(served).running) == (False, True)


async def test_reload_opens_and_closes_ports(session: aiohttp.ClientSession) -> None:
    one, two = free_port(), free_port()
    async with host(saying("one", port=one)) as served:
        await served.reload(saying("two", port=two))
        assert await ask(session, f"http://127.0.0.1:{two}") == (200, "two")
        with pytest.raises(aiohttp.ClientConnectorError):
            await ask(session, f"http://127.0.0.1:{one}")
        await served.reload(saying("a", port=two, namespace="a"), saying("b", port=two, namespace="b"))
        assert await ask(session, f"http://127.0.0.1:{two}/a") == (200, "a")
        assert await ask(session, f"http://127.0.0.1:{two}/b") == (200, "b")
        assert (await ask(session, f"http://127.0.0.1:{two}"))[0] == 404


async def test_reload_changes_authentication(session: aiohttp.ClientSession) -> None:
    async with host(saying("open")) as served:
        url = served.status()[0].url
        assert (await ask(session, url))[0] == 200
        await served.reload(saying("shut", authentication={"type": "bearer", "token": "t"}))
        assert (await ask(session, url))[0] == 401


async def test_reload_needs_a_started_host() -> None:
    served = host(saying("one"))
    with pytest.raises(StartError, match="not started"):
        await served.reload()


async def test_concurrent_reloads_run_in_order(session: aiohttp.ClientSession) -> None:
    async with host(saying("0")) as served:
        await asyncio.gather(*(served.reload(saying(str(number))) for number in range(1, 6)))
        assert await ask(session, served.status()[0].url) == (200, "5")


async def test_requests_succeed_during_reloads() -> None:
    """Sixty-four connections send requests continuously during fifty reloads."""
    async with host(saying("0")) as served:
        url = served.status()[0].url
        done = asyncio.Event()

        async def keep_asking(own: aiohttp.ClientSession) -> list[tuple[int, Any]]:
            responses = []
            while not done.is_set():
                responses.append(await ask(own, url))
            return responses

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as own:
            asking = [asyncio.create_task(keep_asking(own)) for _ in range(64)]
            for number in range(1, 51):
                await served.reload(saying(str(number)))
            done.set()
            responses = [response for batch in await asyncio.gather(*asking) for response in batch]

    assert {status for status, _ in responses} == {200}
    assert {body for _, body in responses} <= {str(number) for number in range(51)}
    assert len(responses) > 64


async def test_exposer_without_a_socket_starts_beside_the_old_one(recorder: Recorder) -> None:
    noted = {"type": "noted", "namespace": "one"}
    async with host(document(noted), recorder=recorder) as served:
        recorder.events.clear()
        await served.reload()
        await served._replaced.wait()
        assert recorder.events == ["make exposer one", "start exposer one", "drain exposer one", "stop exposer one"]
        recorder.events.clear()
        recorder.fails = {"start exposer two"}
        with pytest.raises(OSError, match="start exposer two failed"):
            await served.reload(document({**noted, "namespace": "two"}))
        assert recorder.events == ["make exposer two", "start exposer two", "stop exposer two"]
        recorder.fails = set()


async def test_exclusive_exposer_is_stopped_first(recorder: Recorder) -> None:
    noted = {"type": "noted-exclusive", "namespace": "one"}
    async with host(document(noted), recorder=recorder) as served:
        recorder.events.clear()
        await served.reload()
        await served._replaced.wait()
        assert recorder.events == [
            "make exposer one",
            "drain exposer one",
            "stop exposer one",
            "start exposer one",
            "drain exposer one",
        ]
        recorder.events.clear()
        recorder.fails = {"start exposer two"}
        with pytest.raises(OSError, match="start exposer two failed"):
            await served.reload(document({**noted, "namespace": "two"}))
        assert recorder.events == [
            "make exposer two",
            "drain exposer one",
            "stop exposer one",
            "start exposer two",
            "stop exposer two",
            "start exposer one",
        ]
        recorder.fails = set()


@pytest.mark.parametrize("kind", ["noted", "noted-exclusive"])
@pytest.mark.parametrize("event", ["drain", "stop"])
async def test_failing_exposer_does_not_affect_a_reload(
    kind: str, event: str, recorder: Recorder, session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    noted = {"type": kind, "namespace": "one"}
    async with host(document(noted, plain()), recorder=recorder) as served:
        recorder.fails = {f"{event} exposer one"}
        await served.reload()
        await served._replaced.wait()
        recorder.fails = set()
        assert f"exposer 'one' ({kind}) failed to {event}" in caplog.text
        assert all(status.serving for status in served.status())
        (front,) = [status for status in served.status() if status.namespace == "front"]
        assert (await ask(session, front.url))[0] == 200


@pytest.mark.parametrize("event", ["drain", "stop"])
async def test_failing_exclusive_exposer_continues_after_a_failed_reload(
    event: str, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    noted = {"type": "noted-exclusive", "namespace": "one"}
    async with host(document(noted, {**noted, "namespace": "other"}), recorder=recorder) as served:
        recorder.events.clear()
        recorder.fails = {f"{event} exposer one", "start exposer two"}
        with pytest.raises(OSError, match="start exposer two failed") as raised:
            await served.reload(document({**noted, "namespace": "two"}))
        recorder.fails = set()
        assert recorder.events[-2:] == ["start exposer one", "start exposer other"]
        assert "while starting exposer 'two' (noted-exclusive)" in raised.value.__notes__
        assert f"exposer 'one' (noted-exclusive) failed to {event}" in caplog.text


async def test_attached_to_an_application(session: aiohttp.ClientSession) -> None:
    app = web.Application()
    inside = host(saying("one"))
    attach(app, inside, prefix="/api")
    async with TestServer(app) as server:
        url = str(server.make_url("/api/front"))
        assert await ask(session, url) == (200, "one")
        await inside.reload(saying("two"))
        assert await ask(session, url) == (200, "two")
        await inside.reload(saying("three", namespace="back"))
        assert (await ask(session, url))[0] == 404
        assert await ask(session, str(server.make_url("/api/back"))) == (200, "three")
        with pytest.raises(ProblemsError, match="in one application"):
            await inside.reload(saying("a", port=1), saying("b", port=2))
        assert await ask(session, str(server.make_url("/api/back"))) == (200, "three")


async def test_a_call_beyond_the_drain_timeout_does_not_blame_the_api(session: aiohttp.ClientSession) -> None:
    begun, endless = asyncio.Event(), asyncio.Event()

    async def respond(_: web.Request) -> web.Response:
        begun.set()
        await endless.wait()
        return web.Response()

    api = web.Application()
    api.router.add_get("/slow", respond)
    async with TestServer(api) as server:
        consumes = [{"type": "http", "namespace": "api", "baseUri": str(server.make_url("")).rstrip("/"), "resources": [
            {"name": "slow", "path": "/slow", "operations": [{"name": "get", "method": "GET"}]}
        ]}]  # fmt: skip
        exposes = [{"type": "rest", "namespace": "web", "port": 0, "resources": [
            {"path": "/slow", "operations": [{"method": "GET", "name": "slow", "call": "api.get"}]}
        ]}]  # fmt: skip
        slow = {"naftiko": "1.0.0-alpha2", "capability": {"consumes": consumes, "exposes": exposes}}
        async with Host(slow, settings=Settings(environment={}, drain_timeout=0.01)) as served:
            call = asyncio.create_task(session.get(f"{served.status()[0].url}/slow"))
            await begun.wait()
            await served.reload(slow)
            async with await call as response:
                problem = await response.json()
        endless.set()
    assert (response.status, problem["sent"]) == (502, True)
    assert problem["detail"].startswith("the call took longer than the host waits")
