from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from adapter_host import Host, Plugins, ProblemsError, StartError, UpstreamStatus, UpstreamTimeout
from adapter_host.testing import FakePlugin, running


async def test_a_line_is_a_call(weather: Any, line: Any) -> None:
    weather.up.answers["read"] = lambda given: {"id": given["id"], "celsius": 21.5, "place": "Kraków"}
    assert await line.ask('read {"id": 7}') == [{"result": {"id": 7, "celsius": 21.5, "place": "Kraków"}}]
    assert weather.up.calls == [("read", {"id": 7})]


async def test_it_gives_what_a_direct_call_gives(weather: Any, line: Any) -> None:
    direct = await weather.served.host.call("lines.read", {"id": 7})
    assert await line.ask('read {"id": 7}') == [{"result": direct.data}]


async def test_lines_are_answered_in_order(line: Any) -> None:
    answers = await line.ask('read {"id": 1}', "", 'read {"id": 2}')
    assert [answer.get("result") for answer in answers] == [{"id": 1}, None, {"id": 2}]


@pytest.mark.parametrize(
    ("sent", "error", "status"),
    [
        ("write {}", "there is no operation 'write' (there are: read)", 404),
        ("read", "'id' is required", 400),
        ('read {"id": "seven"}', "'id' must be an integer (given \"seven\")", 400),
        ("read {", "the arguments must be a JSON object", 400),
        ("read [7]", "the arguments must be a JSON object", 400),
    ],
)
async def test_a_callers_mistake_is_named(weather: Any, line: Any, sent: str, error: str, status: int) -> None:
    assert await line.ask(sent) == [{"error": error, "status": status}]
    assert weather.up.calls == []


@pytest.mark.parametrize(
    ("error", "message", "status"),
    [
        (UpstreamStatus(404, b"{}", "application/json"), "the upstream answered 404", 502),
        (UpstreamTimeout("no answer in 5 s"), "no answer in 5 s", 504),
    ],
)
async def test_an_upstreams_failure_is_told(
    weather: Any, line: Any, error: Exception, message: str, status: int
) -> None:
    weather.up.answers["read"] = _raising(error)
    assert await line.ask('read {"id": 7}') == [{"error": message, "status": status}]


async def test_what_nobody_foresaw_stays_in_the_log(weather: Any, line: Any, caplog: pytest.LogCaptureFixture) -> None:
    weather.up.answers["read"] = _raising(RuntimeError("a detail"))
    assert await line.ask('read {"id": 7}') == [{"error": "an unexpected error", "status": 500}]
    assert "a detail" in caplog.text


async def test_a_line_too_long_ends_its_connection_alone(document: dict[str, Any]) -> None:
    async with running(document, body_limit=64) as served:
        address = served.url("lines").removeprefix("tcp://").split(":")
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"read " + b" " * 1000 + b"\n")
        assert await reader.read() == b""
        writer.close()
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b'read {"id": 7}\n')
        assert await reader.readline() == b'{"result": {"id": 7}}\n'
        writer.close()


async def test_draining_ends_the_call_in_progress_and_takes_nothing_new(weather: Any, line: Any) -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    async def held(given: dict[str, Any]) -> Any:
        entered.set()
        await release.wait()
        return given

    weather.up.answers["read"] = held
    idle, address = await weather.connect(), weather.served.url("lines").removeprefix("tcp://").split(":")
    asked = asyncio.ensure_future(line.ask('read {"id": 7}'))
    await entered.wait()
    drained = asyncio.ensure_future(weather.served.host.drain())
    assert await idle.ask('read {"id": 8}') == [{"error": "draining: no new calls are taken", "status": 503}]
    with pytest.raises(ConnectionError):
        await asyncio.open_connection(*address)
    assert not drained.done()
    release.set()
    assert await asked == [{"result": {"id": 7}}]
    await drained
    await weather.served.host.stop()
    assert await idle.reader.read() == b""
    idle.writer.close()


async def test_a_host_serves_again_after_it_stopped(document: dict[str, Any]) -> None:
    host = Host(document, plugins=_plugins())
    for _ in range(2):
        async with host:
            (exposure,) = host.exposures
            assert exposure.url is not None
            reader, writer = await asyncio.open_connection(*exposure.url.removeprefix("tcp://").split(":"))
            writer.write(b'read {"id": 7}\n')
            assert await reader.readline() == b'{"result": {"id": 7}}\n'
            writer.close()
        assert host.exposures[0].url is None


async def test_a_taken_port_is_told(document: dict[str, Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        document["capability"]["exposes"][0] |= {"address": "127.0.0.1", "port": taken.getsockname()[1]}
        with pytest.raises(StartError, match=r"'lines' cannot listen on 127\.0\.0\.1:\d+: "):
            await Host(document, plugins=_plugins()).start()


def test_authentication_is_refused_rather_than_ignored(document: dict[str, Any]) -> None:
    document["capability"]["exposes"][0]["authentication"] = {"type": "bearer", "token": "{{env.TOKEN}}"}
    document["binds"] = [{"namespace": "env", "keys": {"TOKEN": "TOKEN"}}]
    with pytest.raises(ProblemsError, match="lines carry no credentials"):
        Host(document, plugins=_plugins())


def _plugins() -> Plugins:
    plugins = Plugins.installed()
    plugins.take("fake", FakePlugin())
    return plugins


def _raising(error: Exception) -> Any:
    def answer(_: dict[str, Any]) -> None:
        raise error

    return answer
