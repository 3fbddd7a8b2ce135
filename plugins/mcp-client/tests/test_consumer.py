"""MCP servers as consumed APIs: over HTTP in both eras, and as processes."""

from __future__ import annotations

import asyncio
import json
import os
import select
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from adapter_host import (
    Host,
    Settings,
    UpstreamDisconnectedError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
    discover,
)

Serve = Callable[..., AbstractAsyncContextManager[Any]]


@asynccontextmanager
async def started(*consumers: dict[str, Any], **settings: Any) -> AsyncIterator[Host]:
    """Start a host that consumes servers as they are now."""
    entries = [{"type": "mcp", **consumer} for consumer in consumers]
    document = {"naftiko": "1.0.0-alpha2", "capability": {"consumes": entries}}
    found = Settings(**{"environment": {}, **settings})
    definitions = await discover(document, settings=found)
    async with Host(document, settings=Settings(**{"environment": {}, "discovered": definitions, **settings})) as host:
        yield host


@pytest.fixture(params=["handshake", "2026-07-28", "auto", "stdio"])
async def host(request: pytest.FixtureRequest, serve: Serve, command: dict[str, Any]) -> AsyncIterator[Host]:
    if request.param == "stdio":
        async with started({"namespace": "api", **command}) as host:
            yield host
    else:
        async with (
            serve() as served,
            started({"namespace": "api", "url": served.url, "protocolVersion": request.param}) as host,
        ):
            yield host


async def test_results(host: Host) -> None:
    forecast = await host.call("api.forecast", {"town": "Vardø", "days": 2})
    assert forecast.data == {"town": "Vardø", "highs": [20.5, 20.5]}
    assert (await host.call("api.say", {"text": "hello"})).data == "hello"
    assert (await host.call("api.say", {"text": '{"a": [1]}'})).data == {"a": [1]}
    assert (await host.call("api.say", {"text": "{a"})).data == "{a"
    picture = await host.call("api.draw")
    assert (picture.body, picture.media_type) == (b"\x89PNG\r\n\x1a\n", "image/png")
    several = await host.call("api.several")
    assert several.data == [
        {"type": "text", "text": "sunny"},
        {"type": "image", "data": "iVBORw0KGgo=", "mimeType": "image/png"},
    ]


async def test_resources_and_prompts(host: Host) -> None:
    readme = await host.call("api.resources.readme")
    assert (readme.body, readme.media_type, readme.data) == (b"# Station", "text/markdown", "# Station")
    logo = await host.call("api.logo")
    assert (logo.body, logo.media_type) == (b"\x89PNG\r\n\x1a\n", "image/png")
    assert (await host.call("api.town", {"town": "Vadsø"})).data == {"town": "Vadsø"}
    greeting = (await host.call("api.prompts.greet", {"name": "Ada"})).data
    assert greeting["messages"] == [{"role": "user", "content": {"type": "text", "text": "Hello, Ada!"}}]


async def test_errors(host: Host) -> None:
    with pytest.raises(UpstreamStatusError) as refused:
        await host.call("api.refuse", {"reason": "no wind"})
    assert refused.value.upstream_status == 422
    assert b"no wind" in refused.value.body
    with pytest.raises(UpstreamStatusError) as unknown:
        await host.call("api.town", {"town": "../b"})
    assert unknown.value.upstream_status in (400, 404)
    assert json.loads(unknown.value.body)["message"]


async def test_inputs_and_outputs_have_whole_schemas(host: Host) -> None:
    operation = next(each for each in host.plans[0].consumed if each.name == "forecast")
    assert [(each.name, each.type, each.required) for each in operation.inputs] == [
        ("town", "string", True),
        ("days", "integer", False),
    ]
    assert operation.output_schema is not None
    assert operation.output_schema.data["properties"]["highs"]["items"] == {"type": "number"}
    assert operation.description == "Returns the forecast of a town."


async def test_cancellation_reaches_the_server(serve: Serve) -> None:
    for version in ("handshake", "2026-07-28"):
        async with (
            serve() as served,
            started({"namespace": "api", "url": served.url, "protocolVersion": version}) as host,
        ):
            call = asyncio.create_task(host.call("api.hold", {"town": "Vardø"}))
            await served.station.entered.wait()
            call.cancel()
            await asyncio.wait([call])
            await served.station.cancelled.wait()
            assert (await host.call("api.say", {"text": "still there"})).data == "still there"


async def test_timeout_of_a_call(serve: Serve) -> None:
    async with serve() as served:
        entry = {"namespace": "api", "url": served.url, "x-timeout": {"total": 0.5}}
        async with started(entry) as host:
            with pytest.raises(UpstreamTimeoutError):
                await host.call("api.hold", {"town": "Vardø"})
            await served.station.cancelled.wait()


async def test_server_that_appears_later(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async with serve() as served:
        definitions = await discover(
            {
                "naftiko": "1.0.0-alpha2",
                "capability": {"consumes": [{"type": "mcp", "namespace": "api", "url": served.url}]},
            }
        )
    entry = {"type": "mcp", "namespace": "api", "url": served.url}
    document = {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [entry]}}
    async with Host(document, settings=Settings(discovered=definitions)) as host:
        for _ in range(2):
            with pytest.raises(UpstreamUnreachableError):
                await host.call("api.say", {"text": "hello"})
    assert "there is no connection to the MCP server" in caplog.text


async def test_session_that_the_server_ended(serve: Serve) -> None:
    async with serve(session_idle_timeout=0.05) as served:
        entry = {"namespace": "api", "url": served.url, "protocolVersion": "handshake"}
        async with started(entry) as host:
            for text in ("one", "two"):
                assert (await host.call("api.say", {"text": text})).data == text
                # Longer than the session lives without requests.
                await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=0.3)


async def test_several_servers_in_one_host(serve: Serve, command: dict[str, Any]) -> None:
    async with (
        serve() as served,
        started({"namespace": "north", "url": served.url}, {"namespace": "south", **command}) as host,
    ):
        calls = [host.call(f"{name}.say", {"text": name}) for name in ("north", "south") * 10]
        assert [result.data for result in await asyncio.gather(*calls)] == ["north", "south"] * 10


# Processes


def has_ended(process: int) -> bool:
    """Return whether a process has ended, or ends within some seconds."""
    try:
        file = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([file], [], [], 10)[0])
    finally:
        os.close(file)


async def test_process_has_only_the_declared_environment(command: dict[str, Any]) -> None:
    entry = {"namespace": "api", **command, "environment": {"TOKEN": "{{env.TOKEN}}"}}
    document = {
        "naftiko": "1.0.0-alpha2",
        "binds": [{"namespace": "env", "keys": {"TOKEN": "STATION_TOKEN"}}],
        "capability": {"consumes": [{"type": "mcp", **entry}]},
    }
    environment = {"STATION_TOKEN": "s3cr3t", "OTHER": "x"}
    definitions = await discover(document, settings=Settings(environment=environment))
    settings = Settings(environment=environment, discovered=definitions)
    async with Host(document, settings=settings) as host:
        found = (await host.call("api.environment")).data
    assert found.pop("TOKEN") == "s3cr3t"
    # The interpreter of the server sets this one itself.
    assert set(found) <= {"LC_CTYPE"}


async def test_process_is_started_again(command: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    async with started({"namespace": "api", **command}, connect_timeout=20.0) as host:
        first, _ = (await host.call("api.process")).data["result"]
        with pytest.raises(UpstreamDisconnectedError):
            await host.call("api.crash")
        second, _ = (await host.call("api.process")).data["result"]
        assert first != second
    assert "the process ended; starting it again" in caplog.text


async def test_stop_ends_the_process_and_its_children(command: dict[str, Any]) -> None:
    async with started({"namespace": "api", **command}) as host:
        processes = (await host.call("api.process")).data["result"]
    assert all(map(has_ended, processes))


async def test_command_that_does_not_exist() -> None:
    entry = {"namespace": "api", "command": "no-such-command"}
    with pytest.raises(UpstreamUnreachableError, match="the command of the MCP server does not exist"):
        async with started(entry):
            pass


async def test_process_that_ends_at_its_start(caplog: pytest.LogCaptureFixture) -> None:
    program = "import sys; sys.exit('no configuration')"
    entry = {"type": "mcp", "namespace": "api", "command": sys.executable, "arguments": ["-c", program]}
    document = {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [entry]}}
    async with Host(document, settings=Settings(environment={}, discovered={"api": {"tools": {}}})):
        # The host serves other APIs, and starts the process again later.
        assert "no configuration" in caplog.text
        assert caplog.text.count("the process of the MCP server ended before it was ready") == 1
    with pytest.raises(UpstreamUnreachableError):
        await discover(document, settings=Settings(environment={}))


async def test_server_that_does_not_respond(caplog: pytest.LogCaptureFixture) -> None:
    program = "import time; time.sleep(600)"
    keys = {"command": sys.executable, "arguments": ["-c", program], "x-timeout": {"connect": 0.2}}
    document = {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [{"type": "mcp", "namespace": "api", **keys}]}}
    with pytest.raises(UpstreamUnreachableError, match="not ready in time"):
        await discover(document, settings=Settings(environment={}))
