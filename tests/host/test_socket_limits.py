"""Tests of the limits that the host sets for the connections of exposers that are no HTTP exposers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapter_host import Host, RegisterExposer, Settings, hookimpl
from adapter_host.server.socket_listener import SocketListener
from adapter_host.testing import Running
from tests.support.adapters import document
from tests.support.lines import LineExposer, StreamExposer, connected, line_plugins

KINDS = ("streams", "protocols", "buffered")


class UnmarkedExposer(LineExposer):
    """Does not mark requests, so the host cannot tell which connections are idle."""

    async def start(self) -> None:
        await self.socket.serve_streams(self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(await self.socket.exposer.respond(line))


class LateExposer(StreamExposer):
    """Marks requests, but does not say so."""

    async def start(self) -> None:
        await self.socket.serve_streams(self._serve)


class FailingExposer(LineExposer):
    """Fails on each connection."""

    async def start(self) -> None:
        await self.socket.serve_streams(self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise LookupError((await reader.readline()).decode())


class FloodingExposer(LineExposer):
    """Responds with more than a client that does not read can receive."""

    async def start(self) -> None:
        await self.socket.serve_streams(self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        with self.socket.request(writer):
            while True:
                writer.write(b"." * 65_536)
                await writer.drain()


class UpgradedProtocol(asyncio.Protocol):
    """Installs another protocol when it receives data."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        reader = asyncio.StreamReader()
        upgraded = asyncio.StreamReaderProtocol(reader)
        self.transport.set_protocol(upgraded)
        upgraded.connection_made(self.transport)
        self.transport.close()


class UpgradingExposer(LineExposer):
    """Replaces the protocol of a connection."""

    async def start(self) -> None:
        await self.socket.serve(UpgradedProtocol)


class OddPlugin:
    """The plugin of these types."""

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("unmarked", UnmarkedExposer)
        register("late", LateExposer)
        register("failing", FailingExposer)
        register("flooding", FloodingExposer)
        register("upgrading", UpgradingExposer)


def host(kind: str, **settings: Any) -> Host:
    operation = {"name": "get", "call": "api.get"}
    exposed = {"type": kind, "namespace": "wire", "port": 0, "operations": [operation]}
    return Host(document(exposed), plugins=line_plugins(odd=OddPlugin()), settings=Settings(environment={}, **settings))


def url(served: Host) -> str:
    return Running(served).url("wire")


def open_connections(served: Host) -> int:
    """Return the number of connections of the only socket."""
    (listener,) = served._endpoints.opened
    assert isinstance(listener, SocketListener)
    return len(listener._open)


async def wait_until(is_true: Callable[[], bool]) -> None:
    """Wait for a condition without an event, in turns of the event loop."""
    async with asyncio.timeout(20):
        while not is_true():  # noqa: ASYNC110
            await asyncio.sleep(0)


@pytest.mark.parametrize("kind", KINDS)
async def test_connection_limit(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    async with host(kind, connection_limit=2) as served, connected(url(served)) as one, connected(url(served)) as two:
        hold = Running(served).fake("api").hold("get")
        asking = asyncio.create_task(one.ask())
        await hold.entered.wait()
        assert await two.ask("unknown") is None
        async with connected(url(served)) as three:
            assert await three.ask("unknown") is None
            assert await two.reader.read() == b"", "the idle connection makes room"
            also = asyncio.create_task(three.ask())
            await wait_until(lambda: len(Running(served).fake("api").calls) == 2)
            async with connected(url(served)) as four:
                with pytest.raises(ConnectionError):
                    await four.ask("unknown")
            hold.release.set()
            assert [await asking, await also] == [{}, {}]
    assert "127.0.0.1" in caplog.text
    assert "refused, too many connections are open" in caplog.text
    assert "closed while idle, to make room for others" in caplog.text


async def test_connection_limit_of_an_address(caplog: pytest.LogCaptureFixture) -> None:
    settings = {"connection_limit_per_address": 1}
    async with host("streams", **settings) as served, connected(url(served)) as one, connected(url(served)) as two:
        assert await one.ask("unknown") is None
        with pytest.raises(ConnectionError):
            await two.ask("unknown")
    assert "refused, the client has too many connections" in caplog.text


async def test_connections_of_a_unix_socket_have_no_address(tmp_path: Path) -> None:
    place = {"unixSocket": str(tmp_path / "wire.sock")}
    exposed = {"type": "streams", "namespace": "wire", "operations": [{"name": "get", "call": "api.get"}], **place}
    settings = Settings(environment={}, connection_limit_per_address=1)
    async with (
        Host(document(exposed), plugins=line_plugins(), settings=settings) as served,
        connected(url(served)) as one,
        connected(url(served)) as two,
    ):
        assert [await client.ask("unknown") for client in (one, two)] == [None, None]


async def test_log_of_a_unix_socket_has_no_address(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    exposed = {"type": "streams", "namespace": "wire", "unixSocket": str(tmp_path / "wire.sock")}
    settings = Settings(environment={}, header_timeout=0.05)
    async with (
        Host(document(exposed), plugins=line_plugins(), settings=settings) as served,
        connected(url(served)) as client,
    ):
        assert await client.reader.read() == b""
    assert "closed, no request within the time limit; the limit is set by --header-timeout" in caplog.text


@pytest.mark.parametrize("kind", [*KINDS, "unmarked"])
async def test_silent_client(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with host(kind, header_timeout=0.05) as served, connected(url(served)) as client:
        assert await client.reader.read() == b""
    assert "closed, no request within the time limit (last from 127.0.0.1)" in caplog.text


@pytest.mark.parametrize("kind", KINDS)
async def test_incomplete_first_request(kind: str) -> None:
    async with host(kind, header_timeout=0.05) as served, connected(url(served)) as client:
        client.writer.write(b"incomplete")
        assert await client.reader.read() == b""


async def test_exposer_that_marks_one_request_marks_all() -> None:
    async with host("late", header_timeout=0.05) as served:
        async with connected(url(served)) as client:
            assert await client.ask("unknown") is None
        async with connected(url(served)) as client:
            client.writer.write(b"incomplete")
            assert await client.reader.read() == b""


@pytest.mark.parametrize("kind", KINDS)
async def test_idle_client(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with host(kind, keep_alive_timeout=0.05) as served, connected(url(served)) as client:
        assert await client.ask("unknown") is None
        client.writer.write(b"incomplete")
        assert await client.reader.read() == b""
    assert "closed, idle for the time limit (last from 127.0.0.1)" in caplog.text


@pytest.mark.parametrize("kind", KINDS)
async def test_request_in_progress_is_not_idle(kind: str) -> None:
    """A client of its own is closed for idleness while the other one waits for its response."""
    limits = {"keep_alive_timeout": 0.05, "header_timeout": 0.05}
    async with host(kind, **limits) as served, connected(url(served)) as client, connected(url(served)) as idle:
        hold = Running(served).fake("api").hold("get")
        asking = asyncio.create_task(client.ask())
        await hold.entered.wait()
        assert await idle.reader.read() == b""
        hold.release.set()
        assert await asking == {}


async def test_requests_that_are_not_marked_have_no_time_limit() -> None:
    limits = {"keep_alive_timeout": 0.05, "header_timeout": 0.05}
    async with host("unmarked", **limits) as served, connected(url(served)) as client:
        assert await client.ask("unknown") is None
        async with connected(url(served)) as silent:
            assert await silent.reader.read() == b""
        assert await client.ask("unknown") is None


async def test_client_that_does_not_read(caplog: pytest.LogCaptureFixture) -> None:
    async with host("flooding", send_timeout=0.1, drain_timeout=0) as served, connected(url(served)) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.writer.write(b"get\n")
        await wait_until(lambda: "aborted, the client did not read the response" in caplog.text)


async def test_client_that_disconnects_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with host("flooding", drain_timeout=0) as served:
        async with connected(url(served)) as client:
            client.writer.write(b"get\n")
            assert await client.reader.read(1) == b"."
            client.writer.transport.abort()
        await wait_until(lambda: not open_connections(served))
    assert caplog.records == []


async def test_error_of_a_handler_names_the_exposer(caplog: pytest.LogCaptureFixture) -> None:
    async with host("failing") as served, connected(url(served)) as client:
        client.writer.write(b"hello\n")
        assert await client.reader.read() == b""
    assert "exposer 'wire' failed to serve a connection" in caplog.text
    assert "LookupError: hello" in caplog.text


async def test_connection_that_has_replaced_its_protocol_is_forgotten() -> None:
    async with host("upgrading", header_timeout=0.05) as served:
        async with connected(url(served)) as client:
            client.writer.write(b"x")
            assert await client.reader.read() == b""
            # The one of the silent client is counted and closed too, at a later check.
            async with connected(url(served)) as silent:
                assert await silent.reader.read() == b""
        await wait_until(lambda: not open_connections(served))


async def test_handler_is_cancelled_at_the_stop() -> None:
    served = host("streams", drain_timeout=0)
    async with served:
        hold = Running(served).fake("api").hold("get")
        async with connected(url(served)) as client:
            client.writer.write(b"get\n")
            await hold.entered.wait()
            await served.drain()
            await served.stop()
            await hold.cancelled.wait()
            assert await client.reader.read() == b""
    assert asyncio.all_tasks() == {asyncio.current_task()}
