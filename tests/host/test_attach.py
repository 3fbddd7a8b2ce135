"""Tests of hosts inside an aiohttp application: their places, several of them, and sockets beside it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

from adapter_host import HOST, HOSTS, Host, ProblemsError, Settings, StartError, attach
from tests.support.adapters import document, plain
from tests.support.lines import connected, line_plugins


def saying(word: str, namespace: str = "front") -> dict[str, Any]:
    return plain({"name": "get", "outputParameters": [{"type": "string", "value": word}]}, namespace=namespace)


def lines(word: str) -> dict[str, Any]:
    operation = {"name": "get", "outputParameters": [{"type": "string", "value": word}]}
    return {"type": "streams", "namespace": "wire", "port": 0, "operations": [operation]}


def host(*exposed: dict[str, Any]) -> Host:
    return Host(document(*exposed), plugins=line_plugins(), settings=Settings(environment={}))


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def ask(session: aiohttp.ClientSession, server: BaseTestServer, path: str) -> Any:
    async with session.post(server.make_url(path)) as response:
        return await response.json() if response.status == 200 else response.status


@pytest.mark.parametrize(("prefix", "fix"), [("api", "write '/api'"), ("/a?b", "leave out"), ("/{a}", "leave out")])
def test_prefix_is_a_path(prefix: str, fix: str) -> None:
    with pytest.raises(ValueError, match=fix):
        attach(web.Application(), host(plain()), prefix=prefix)


@pytest.mark.parametrize("prefix", ["", "/", "/api", "/api/", "/api/v1"])
async def test_prefixes(prefix: str, session: aiohttp.ClientSession) -> None:
    app = web.Application()
    attach(app, host(saying("hello")), prefix=prefix)
    async with TestServer(app) as server:
        assert await ask(session, server, f"{prefix.rstrip('/')}/front/get") == "hello"


async def test_several_hosts_in_one_application(session: aiohttp.ClientSession) -> None:
    app = web.Application()
    hosts = (host(saying("one")), host(saying("two", "back")), host(saying("three")))
    for each, prefix in zip(hosts, ("/api", "/api", "/other"), strict=True):
        attach(app, each, prefix=prefix)
    assert app[HOST] is hosts[0]
    assert app[HOSTS] == hosts
    async with TestServer(app) as server:
        found = [await ask(session, server, path) for path in ("/api/front/get", "/api/back/get", "/other/front/get")]
        assert found == ["one", "two", "three"]
        with pytest.raises(ProblemsError, match="'front' would be served at '/api/front', like 'front' of"):
            await hosts[1].reload(document(saying("four")))
        assert await ask(session, server, "/api/back/get") == "two"
        await hosts[0].reload(document(saying("five", "side")))
        await hosts[1].reload(document(saying("six")))
        assert await ask(session, server, "/api/front/get") == "six"


def test_two_hosts_at_one_place() -> None:
    app = web.Application()
    attach(app, host(plain()), prefix="/api")
    with pytest.raises(ProblemsError, match="attach the host with another prefix"):
        attach(app, host(plain()), prefix="/api/")
    assert len(app[HOSTS]) == 1


def test_host_is_attached_once() -> None:
    inside = host(plain())
    attach(web.Application(), inside)
    with pytest.raises(StartError, match="attached already; create another one"):
        attach(web.Application(), inside)


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
async def test_without_namespaces(prefix: str, session: aiohttp.ClientSession) -> None:
    async def own(_: web.Request) -> web.Response:
        return web.json_response("own")

    app = web.Application()
    app.router.add_post("/own", own)
    inside = host(saying("hello"))
    attach(app, inside, prefix=prefix, namespaces=False)
    async with TestServer(app) as server:
        assert await ask(session, server, f"{prefix}/get") == "hello"
        assert await ask(session, server, "/own") == "own"
        assert await ask(session, server, f"{prefix}/front/get") == 404
        await inside.reload(document(saying("again")))
        assert await ask(session, server, f"{prefix}/get") == "again"


def test_two_exposers_without_namespaces() -> None:
    with pytest.raises(ProblemsError, match=r"'back' would be served at '/', like 'front' of .* with namespaces"):
        attach(web.Application(), host(saying("a"), saying("b", "back")), namespaces=False)


def test_sockets_are_refused() -> None:
    with pytest.raises(ProblemsError, match=r"'wire' \(streams\) listens on .*attach\(\.\.\., listen=True\)"):
        attach(web.Application(), host(plain(), lines("hello")))


async def test_reload_does_not_add_a_socket(session: aiohttp.ClientSession) -> None:
    app = web.Application()
    inside = host(saying("old"))
    attach(app, inside)
    async with TestServer(app) as server:
        with pytest.raises(ProblemsError, match="listen=True"):
            await inside.reload(document(saying("new"), lines("new")))
        assert await ask(session, server, "/front/get") == "old"


async def test_sockets_beside_the_application(session: aiohttp.ClientSession) -> None:
    app = web.Application()
    inside = host(saying("one"), lines("one"))
    attach(app, inside, listen=True)
    async with TestServer(app) as server:
        (wire,) = [status for status in inside.status() if status.namespace == "wire"]
        assert wire.serving
        async with connected(wire.url) as client:
            assert await client.ask() == "one"
            await inside.reload(document(saying("two"), lines("two")))
            assert await client.ask() == "two"
        assert await ask(session, server, "/front/get") == "two"
    with pytest.raises(ConnectionError):
        async with connected(wire.url):
            pass


async def test_ports_of_attached_exposers_are_free() -> None:
    """An HTTP exposer inside an application opens no port, so a socket may have the port that its document names."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = web.Application()
    inside = host({**saying("one"), "port": port}, {**lines("two"), "port": port})
    attach(app, inside, listen=True)
    async with TestServer(app), connected(f"lines://127.0.0.1:{port}") as client:
        assert await client.ask() == "two"


async def test_host_without_a_server_opens_no_socket() -> None:
    inside = host(lines("hello"))
    await inside.start(listen=False)
    try:
        (status,) = inside.status()
        assert (status.url, status.serving) == (None, False)
        assert (await inside.call("wire.get")).data == "hello"
        await inside.reload(document(lines("again")))
        assert (await inside.call("wire.get")).data == "again"
        assert inside.status()[0].url is None
    finally:
        await inside.stop()
    assert asyncio.all_tasks() == {asyncio.current_task()}
