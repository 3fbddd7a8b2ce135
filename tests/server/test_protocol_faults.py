"""The details of responses to requests that break rules of HTTP, and connections that stay open after a response."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from syrupy.assertion import SnapshotAssertion

from adapter_host import Host, RegisterExposer, Settings, attach, hookimpl
from adapter_host.server.connection.connections import Connections
from adapter_host.server.connection.log import ADDRESS_LIMIT
from adapter_host.server.router import PrefixRouter
from tests.support.adapters import PlainExposer, document, plain, plain_plugins
from tests.support.raw_http import connect, exchange, status_of


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    """Serve a plain exposer; yield its port."""
    async with Host(document(plain()), plugins=plain_plugins()) as host:
        yield int(str(host.status()[0].url).rpartition(":")[2])


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /get HTTP/2.0\r\nHost: localhost\r\n\r\n",
        b"POST /get HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET ftp://localhost/get HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://key@localhost/get HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://:key@localhost/get HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["version", "transfer coding", "connect", "scheme", "user", "password"],
)
async def test_details(request_: bytes, snapshot: SnapshotAssertion) -> None:
    async with serving() as port:
        response = await exchange(port, request_)
    assert b"\r\nConnection: close\r\n" in response
    body = json.loads(response.partition(b"\r\n\r\n")[2])
    assert body["status"] == status_of(response)
    assert (body["title"], body["status"], body["detail"]) == snapshot


class Failing(PlainExposer):
    """Its handlers raise errors."""

    def build_app(self) -> web.Application:
        async def time_out(_: web.Request) -> web.Response:
            raise TimeoutError

        async def fail(_: web.Request) -> web.Response:
            raise ValueError("s3cr3t")

        app = web.Application()
        app.router.add_post("/late", time_out)
        app.router.add_post("/broken", fail)
        return app


class FailingPlugin:
    """The plugin of `type: failing`."""

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("failing", Failing)


@pytest.mark.parametrize("path", ["late", "broken"])
async def test_errors_of_handlers(path: str, snapshot: SnapshotAssertion) -> None:
    document_ = document({**plain(), "type": "failing"})
    async with (
        Host(document_, plugins=plain_plugins(failing=FailingPlugin())) as host,
        aiohttp.ClientSession() as session,
        session.post(f"{host.status()[0].url}/{path}") as response,
    ):
        body = await response.json()
    assert (body["title"], body["status"], body["detail"]) == snapshot
    assert response.headers["Connection"] == "close"


async def test_connection_stays_open_after_a_body_that_was_not_read() -> None:
    """Only a body that aiohttp would decode while it discards it ends the connection."""
    app = web.Application()
    attach(app, Host(document(plain(authentication={"type": "bearer", "token": "s3cr3t"})), plugins=plain_plugins()))
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        request = b"POST /front/get HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"
        async with connect(runner.addresses[0][1]) as connection:
            for _ in range(2):
                await connection.send(request)
                head = await connection.read_head()
                assert status_of(head) == 401
                length = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
                await connection.reader.readexactly(int(length.split(b":")[1]))
                await connection.send(b"{}")
    finally:
        await runner.cleanup()


async def test_counted_events_are_logged_after_the_last_connection(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    connections = Connections(Settings(), "127.0.0.1:80", monitors_host=True)
    for _ in range(3):
        connections.log.report(ADDRESS_LIMIT, "192.0.2.1")
    connections._check()
    assert ["1 connection was" in message or "2 connections were" in message for message in caplog.messages] == [
        True,
        True,
    ]


def test_resource_of_a_router() -> None:
    router = PrefixRouter("/host")
    assert (router.canonical, router.get_info(), list(router), len(router)) == ("/host", {"prefix": "/host"}, [], 0)
    assert PrefixRouter("").canonical == "/"
    assert router.raw_match("/host") is False
    with pytest.raises(RuntimeError):
        router.url_for()
    with pytest.raises(RuntimeError):
        router.add_prefix("/outer")
