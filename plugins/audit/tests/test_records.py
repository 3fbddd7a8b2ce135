"""Each call has exactly one record, and so has each request that the access check refuses."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapter_host import (
    ArgumentError,
    Host,
    InternalError,
    PluginError,
    Plugins,
    Result,
    Settings,
    UnavailableError,
    UpstreamStatusError,
    UpstreamTimeoutError,
)
from adapter_host.testing import FakePlugin, Running

KEY = {"type": "apikey", "in": "header", "key": "X-Key", "value": "k3y"}
HEADERS = {"X-Key": "k3y"}
API = {"type": "fake", "namespace": "api", "operations": [{"name": "get"}]}
INPUTS = [{"name": "id", "in": "path", "type": "integer"}]
RESOURCES = [
    {
        "path": "/things/{id}",
        "operations": [{"method": "GET", "name": "get", "call": "api.get", "inputParameters": INPUTS}],
    }
]
TOOL = {"name": "get", "description": "Gets", "call": "api.get", "inputParameters": [{"name": "id", "type": "integer"}]}
DOCUMENT: dict[str, Any] = {
    "naftiko": "1.0.0-alpha2",
    "info": {"label": "Shop"},
    "capability": {
        "consumes": [API],
        "exposes": [
            {"type": "rest", "namespace": "rest", "port": 0, "authentication": KEY, "resources": RESOURCES},
            {"type": "mcp", "namespace": "mcp", "port": 0, "tools": [TOOL]},
        ],
    },
}


class Log:
    """The file of the audit log."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines() if line]

    @property
    def only(self) -> dict[str, Any]:
        (record,) = self.records
        return record


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "audit.jsonl")


@asynccontextmanager
async def serving(log: Log, environment: Mapping[str, str] | None = None, **settings: Any) -> AsyncIterator[Running]:
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    audit = {"audit": {"file": str(log.path), **settings}}
    async with Host(DOCUMENT, plugins=plugins, settings=Settings(environment=environment or {}, plugins=audit)) as host:
        yield Running(host)


async def get(served: Running, path: str = "/things/7", headers: Mapping[str, str] = HEADERS) -> tuple[int, str]:
    """Return the status and the request id of a response."""
    url = f"{served.url('rest')}{path}"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        await response.read()
        return response.status, response.headers["X-Request-Id"]


async def test_call(log: Log) -> None:
    async with serving(log) as served:
        status, request_id = await get(served)
    record = log.only
    assert record.pop("time").endswith("+00:00")
    assert record.pop("duration_ms") > 0
    (value,) = record.pop("arguments").values()
    assert len(value.pop("hash")) == 32
    assert value == {}
    assert status == 200
    assert record == {
        "request_id": request_id,
        "capability": "Shop",
        "exposer": "rest",
        "exposer_type": "rest",
        "transport": "http",
        "principal": {},
        "authentication": "apikey",
        "client_address": "127.0.0.1",
        "operation": "get",
        "decision": "allowed",
        "outcome": 200,
        "upstream": [{"operation": "api.get", "outcome": 200}],
    }
    assert log.path.stat().st_mode & 0o777 == 0o600


async def test_kept_response(log: Log) -> None:
    kept, error = Result(data={}), UpstreamStatusError(404)
    kept.cached, error.cached = "stale", "hit"

    def fail(_: Any) -> Any:
        raise error

    async with serving(log) as served:
        served.fake("api").responses["get"] = lambda _: kept
        await get(served)
        served.fake("api").responses["get"] = fail
        await get(served)
    assert [record["upstream"] for record in log.records] == [
        [{"operation": "api.get", "outcome": 200, "cached": "stale"}],
        [{"operation": "api.get", "outcome": 404, "cached": "hit"}],
    ]


async def test_refused_request(log: Log) -> None:
    async with serving(log) as served:
        status, request_id = await get(served, headers={"X-Key": "s3cr3t"})
    assert (status, log.only["decision"], log.only["outcome"]) == (401, "refused", 401)
    assert (log.only["request_id"], log.only["principal"]) == (request_id, None)
    assert "s3cr3t" not in log.path.read_text()


@pytest.mark.parametrize(
    ("error", "status", "outcome"),
    [(UpstreamTimeoutError("s3cr3t"), 504, "upstream-timeout"), (UpstreamStatusError(404, b"s3cr3t"), 404, 404)],
)
async def test_failed_call(log: Log, error: Exception, status: int, outcome: int | str) -> None:
    def fail(_: Any) -> Any:
        raise error

    async with serving(log) as served:
        served.fake("api").responses["get"] = fail
        assert (await get(served))[0] == status
    assert (log.only["outcome"], log.only["upstream"]) == (outcome, [{"operation": "api.get", "outcome": outcome}])
    assert "s3cr3t" not in log.path.read_text()


async def test_call_with_invalid_arguments(log: Log) -> None:
    async with serving(log) as served:
        with pytest.raises(ArgumentError):
            await served.host.call("mcp.get", {"id": "seven"})
    assert (log.only["decision"], log.only["outcome"], log.only["upstream"]) == ("allowed", "invalid-argument", [])


async def test_tool_and_call_of_the_application(log: Log) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get", "arguments": {"id": 7}}}
    async with serving(log, arguments="whole") as served, aiohttp.ClientSession() as session:
        headers = {"Accept": "application/json, text/event-stream"}
        async with session.post(served.url("mcp"), json=message, headers=headers) as response:
            assert response.status == 200
        await served.host.call("mcp.get", {"id": 7})
    assert [(each["transport"], each["exposer"], each["arguments"]) for each in log.records] == [
        ("http", "mcp", {"id": 7}),
        ("host", None, {"id": 7}),
    ]


async def test_cancelled_call(log: Log) -> None:
    async with serving(log) as served:
        hold = served.fake("api").hold("get")
        calling = asyncio.ensure_future(served.host.call("rest.get", {"id": 7}))
        await hold.entered.wait()
        calling.cancel()
        with suppress(asyncio.CancelledError):
            await calling
    assert log.only["outcome"] == "cancelled"


async def test_hashes_depend_on_the_value_and_on_the_key(log: Log) -> None:
    hashes = []
    for key, value in (("a" * 32, 1), ("a" * 32, 1), ("a" * 32, 2), ("b" * 32, 1)):
        async with serving(log, {"ADAPTER_HOST_AUDIT_KEY": key}) as served:
            await served.host.call("rest.get", {"id": value})
        hashes.append(log.records[-1]["arguments"]["id"]["hash"])
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


@pytest.mark.parametrize(
    ("settings", "recorded"),
    [
        ({"arguments": "names"}, None),
        ({"arguments": "names", "allowedArguments": ["id"]}, 7),
        ({"arguments": "whole"}, 7),
    ],
)
async def test_arguments(log: Log, settings: dict[str, Any], recorded: Any) -> None:
    async with serving(log, **settings) as served:
        await served.host.call("rest.get", {"id": 7})
    assert log.only["arguments"] == {"id": recorded}


async def test_short_key_is_refused(log: Log) -> None:
    with pytest.raises(PluginError, match="ADAPTER_HOST_AUDIT_KEY is too short"):
        async with serving(log, {"ADAPTER_HOST_AUDIT_KEY": "short"}):
            pass
    assert not log.path.exists()


async def test_file_is_opened_again_when_it_was_moved(log: Log) -> None:
    async with serving(log) as served:
        await served.host.call("rest.get", {"id": 1})
        moved = Log(log.path.rename(log.path.with_suffix(".1")))
        await served.host.call("rest.get", {"id": 2})
    assert len(moved.records) == len(log.records) == 1


async def test_start_fails_without_the_file(log: Log) -> None:
    log.path.mkdir()
    with pytest.raises(PluginError, match="cannot be opened: is a directory"):
        async with serving(log):
            pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
@pytest.mark.parametrize("when", ["refuse", "continue"])
async def test_full_disk(log: Log, when: str, caplog: pytest.LogCaptureFixture) -> None:
    full = Log(Path("/dev/full"))
    async with serving(full, whenUnavailable=when) as served:
        calls = served.fake("api").calls
        outcomes = [(await get(served))[0] for _ in range(3)]
    if when == "continue":
        assert (outcomes, len(calls)) == ([200, 200, 200], 3)
    else:
        # The first call was made before anything was known of the disk.
        assert (outcomes, len(calls)) == ([500, 503, 503], 1)
    assert [record.getMessage() for record in caplog.records if record.name == "adapter_host.audit"] == [
        "the audit log cannot be written"
    ]


async def test_calls_go_on_when_records_can_be_written_again(log: Log) -> None:
    async with serving(log) as served:
        await served.host.call("rest.get", {"id": 1})
        log.path.rename(log.path.with_suffix(".1"))
        log.path.mkdir()
        with pytest.raises(InternalError):
            await served.host.call("rest.get", {"id": 2})
        with pytest.raises(UnavailableError):
            await served.host.call("rest.get", {"id": 3})
        log.path.rmdir()
        await served.host.call("rest.get", {"id": 4})
    assert log.only["outcome"] == 200


async def test_stream_is_closed_if_it_cannot_be_recorded() -> None:
    closed = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        try:
            yield b"1"
        finally:
            closed.set()

    stream = chunks()
    await anext(stream)
    async with serving(Log(Path("/dev/full"))) as served:
        served.fake("api").responses["get"] = lambda _: Result(stream=stream)
        assert (await get(served))[0] == 500
    assert closed.is_set()


async def test_killed_process_has_recorded_each_call_with_a_response(log: Log, tmp_path: Path) -> None:
    constant = {"method": "GET", "name": "get", "outputParameters": [{"type": "string", "value": "v"}]}
    exposed = {"type": "rest", "namespace": "rest", "port": 0, "resources": [{"path": "/c", "operations": [constant]}]}
    document, ready = tmp_path / "shop.yaml", tmp_path / "ready.json"
    document.write_text(json.dumps({"naftiko": "1.0.0-alpha2", "capability": {"exposes": [exposed]}}))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "adapter_host", "serve", str(document), "--ready-file", str(ready),
        "--plugin-setting", f"audit.file={log.path}", stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    while b"serving" not in await process.stderr.readline():
        assert process.returncode is None
    url = json.loads(ready.read_text())["exposers"][0]["url"]
    responses: list[str] = []

    async def call_until_killed(session: aiohttp.ClientSession) -> None:
        with suppress(aiohttp.ClientError):
            while True:
                async with session.get(f"{url}/c") as response:
                    responses.append(response.headers["X-Request-Id"])
                if len(responses) == 200:
                    os.kill(process.pid, signal.SIGKILL)

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(call_until_killed(session) for _ in range(8)))
    await process.communicate()
    recorded = [record["request_id"] for record in log.records]
    assert len(responses) >= 200
    assert set(responses) <= set(recorded)
    assert len(recorded) == len(set(recorded))
