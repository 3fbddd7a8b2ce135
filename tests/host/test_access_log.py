"""The records of the access log: one for each request, through every kind of exposer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import aiohttp
import orjson
import pytest

from adapter_host import CallRecord, Plugins, Result, UpstreamStatusError, UpstreamUnreachableError
from adapter_host.testing import Running, running
from tests.support.auditing import AUTHENTICATION, KEY, PEER, LinesPlugin, send_line

CALL = {"name": "get", "call": "api.get"}
API = {"type": "fake", "namespace": "api", "operations": [{"name": "get"}]}
HEADERS = {"X-Key": KEY}
INPUT = {"name": "id", "type": "string", "description": "An id"}
RESOURCES = [
    {
        "path": "/things/{id}",
        "operations": [{"method": "GET", **CALL, "inputParameters": [{"name": "id", "in": "path"}]}],
    }
]
EXPOSES = [
    {"type": "rest", "namespace": "rest", "port": 0, "authentication": AUTHENTICATION, "resources": RESOURCES},
    {"type": "mcp", "namespace": "mcp", "port": 0, "tools": [{**CALL, "inputParameters": [INPUT]}]},
    {"type": "echo", "namespace": "echo", "port": 0, "operations": [CALL]},
    {"type": "lines", "namespace": "lines", "authentication": AUTHENTICATION, "operations": [CALL]},
]
DOCUMENT = {"naftiko": "1.0.0-alpha2", "info": {"label": "Shop"}, "capability": {"consumes": [API], "exposes": EXPOSES}}
MCP_HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


class Log(list[CallRecord]):
    """The records that were written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = asyncio.Event()

    def append(self, record: CallRecord) -> None:
        super().append(record)
        self.written.set()

    async def only(self) -> CallRecord:
        """Wait for a record, which is written after the response, and check that there is only one."""
        await asyncio.wait_for(self.written.wait(), 5)
        (record,) = self
        return record


@pytest.fixture
def log() -> Log:
    return Log()


@asynccontextmanager
async def serving(log: Log, document: dict[str, Any] = DOCUMENT, **settings: Any) -> AsyncIterator[Running]:
    plugins = Plugins.installed()
    plugins.register("lines", LinesPlugin())
    async with running(document, plugins=plugins, access_log=log.append, **settings) as served:
        yield served


async def request(url: str, method: str = "GET", **options: Any) -> tuple[int, str | None]:
    """Return the status and the request id of a response."""
    async with aiohttp.ClientSession() as session, session.request(method, url, **options) as response:
        await response.read()
        return response.status, response.headers.get("X-Request-Id")


async def test_request_of_a_page(log: Log) -> None:
    async with serving(log) as served:
        await request(f"{served.url('rest')}/openapi.json", headers=HEADERS)
        assert (await log.only()).path == "/openapi.json"


async def test_request_of_an_operation(log: Log) -> None:
    async with serving(log) as served:
        status, request_id = await request(f"{served.url('rest')}/things/s3cr3t-7?key=v", headers=HEADERS)
        record = await log.only()
    assert (status, record.status, record.request_id) == (200, 200, request_id)
    assert (record.site.capability, record.site.exposer, record.site.exposer_type) == ("Shop", "rest", "rest")
    assert (record.method, record.path, record.operation, record.calls) == ("GET", "/things/{id}", "get", 1)
    assert (record.authentication, record.client_address, record.error) == ("apikey", PEER, None)
    assert (record.upstream_status, record.upstream_calls) == (200, 1)
    assert record.duration > record.upstream_duration > 0
    assert record.size is not None
    assert record.size > 100
    assert "s3cr3t" not in repr(record)
    assert KEY not in repr(record)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "template"),
    [
        ("GET", "/things/1", {}, 401, None),
        ("GET", "/things/1", {**HEADERS, "Host": "evil.example"}, 421, None),
        ("GET", "/none/1", HEADERS, 404, None),
        ("DELETE", "/things/1", HEADERS, 405, None),
        ("GET", "/things/%FF", HEADERS, 400, None),
    ],
)
async def test_refused_request(
    log: Log, method: str, path: str, headers: dict[str, str], status: int, template: str | None
) -> None:
    async with serving(log) as served:
        received_status, request_id = await request(f"{served.url('rest')}{path}", method, headers=headers)
        record = await log.only()
    assert (received_status, record.status, record.request_id, record.site.exposer) == (
        status,
        status,
        request_id,
        "rest",
    )
    assert (record.path, record.upstream_calls) == (template, 0)
    assert record.authentication == ("apikey" if status in (400, 404, 405) else None)


async def test_malformed_request(log: Log) -> None:
    async with serving(log) as served:
        url = served.url("rest").removeprefix("http://")
        host, _, port = url.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /s3cr3t HTTP/1.1\r\nHo st: a\r\n\r\n")
        received = await reader.read()
        writer.close()
        record = await log.only()
    assert (record.status, record.method, record.path, record.client_address) == (400, None, None, PEER)
    assert record.request_id.encode() in received


@pytest.mark.parametrize(
    ("error", "status", "name", "upstream"),
    [
        (UpstreamUnreachableError(), 502, "upstream-unreachable", "upstream-unreachable"),
        (UpstreamStatusError(418), 418, "upstream-error", 418),
        (ValueError("a defect"), 500, "internal-error", "internal-error"),
    ],
)
async def test_failed_call(log: Log, error: Exception, status: int, name: str, upstream: int | str) -> None:
    def fail(_: Any) -> Any:
        raise error

    async with serving(log) as served:
        served.fake("api").responses["get"] = fail
        await request(f"{served.url('rest')}/things/1", headers=HEADERS)
        record = await log.only()
    assert (record.status, record.error, record.upstream_status) == (status, name, upstream)


async def test_client_that_disconnects(log: Log) -> None:
    reached = asyncio.Event()

    async def wait(_: Any) -> Any:
        reached.set()
        await asyncio.Event().wait()

    async with serving(log) as served:
        served.fake("api").responses["get"] = wait
        calling = asyncio.ensure_future(request(f"{served.url('rest')}/things/1", headers=HEADERS))
        await reached.wait()
        calling.cancel()
        record = await log.only()
    with suppress(asyncio.CancelledError):
        await calling
    assert (record.status, record.error, record.upstream_status) == (499, "cancelled", "cancelled")


async def test_stream_that_fails_is_written_at_its_end(log: Log) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"a" * 10_000
        raise UpstreamUnreachableError

    async with serving(log) as served:
        served.fake("api").responses["get"] = lambda _: Result(stream=chunks(), media_type="text/plain")
        with suppress(aiohttp.ClientError):
            await request(f"{served.url('rest')}/things/1", headers=HEADERS)
        record = await log.only()
    assert (record.status, record.error) == (200, "upstream-unreachable")
    assert record.size is not None
    assert record.size > 10_000


@pytest.mark.parametrize("trusted", [(), (PEER,)])
async def test_address_of_a_client_behind_a_proxy(log: Log, trusted: tuple[str, ...]) -> None:
    async with serving(log, trusted_proxies=trusted) as served:
        await request(f"{served.url('rest')}/none", headers={"X-Forwarded-For": "6.6.6.6, 192.0.2.7"})
        record = await log.only()
    assert record.client_address == ("192.0.2.7" if trusted else PEER)


@pytest.mark.parametrize(
    ("message", "name", "operation", "error"),
    [
        ({"method": "tools/call", "params": {"name": "get", "arguments": {"id": "1"}}}, "tools/call", "get", None),
        ({"method": "tools/list"}, "tools/list", None, None),
        ({"method": "tools/call", "params": {"name": "s3cr3t"}}, "tools/call", None, "-32602"),
        ({"method": "s3cr3t"}, "other", None, "-32601"),
        (
            {"method": "tools/call", "params": {"name": "get", "arguments": {"id": 1, "no": 2}}},
            "tools/call",
            "get",
            "invalid-argument",
        ),
    ],
)
async def test_message_of_mcp(
    log: Log, message: dict[str, Any], name: str, operation: str | None, error: str | None
) -> None:
    async with serving(log) as served:
        body = {"jsonrpc": "2.0", "id": 1, **message}
        _, request_id = await request(served.url("mcp"), "POST", json=body, headers=MCP_HEADERS)
        record = await log.only()
    assert (record.message, record.operation, record.error) == (name, operation, error)
    assert (record.site.exposer, record.path, record.request_id) == ("mcp", "/mcp", request_id)
    assert "s3cr3t" not in repr(record)


async def test_line_of_an_own_listener(log: Log) -> None:
    async with serving(log) as served:
        host, _, port = served.url("echo").removeprefix("tcp://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"get\nnone\n")
        await reader.readline()
        await reader.readline()
        writer.close()
    called, unknown = log
    assert (called.transport, called.site.exposer, called.operation, called.error) == ("echo", "echo", "get", None)
    assert (called.client_address, called.upstream_status, len(called.request_id)) == (PEER, 200, 16)
    assert (unknown.operation, unknown.error) == (None, "not-found")


async def test_own_listener_with_authentication(log: Log) -> None:
    async with serving(log) as served:
        await send_line(served.url("lines"), headers=HEADERS, arguments={})
        await send_line(served.url("lines"), headers={}, arguments={})
    called, refused = log
    assert (called.operation, called.authentication, called.client_address) == ("get", "apikey", PEER)
    assert (refused.operation, refused.authentication, refused.status) == (None, None, 401)
    assert (refused.site.exposer, refused.client_address) == ("lines", PEER)


async def test_messages_over_stdio(log: Log) -> None:
    from adapter_host_mcp.sdk import stdio
    from adapter_host_mcp.sdk.handlers import add_tool_calls

    exposed = {"type": "mcp", "namespace": "mcp", "transport": "stdio", "tools": [CALL]}
    document = {**DOCUMENT, "capability": {"consumes": [API], "exposes": [exposed]}}
    client_info = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
    meta = {"adapter-host/requestId": "of-the-client"}
    messages = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": client_info},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "get", "arguments": {}, "_meta": meta}},
    ]
    async with serving(log, document) as served:
        exposer: Any = served.host.status()[0].exposer
        server = exposer.build_server()
        scope = partial(exposer.context.call, "stdio", whole_request=True)
        add_tool_calls(server, exposer.tools, lambda sent: scope(request_id=sent))
        (source, sent), (received, sink) = os.pipe(), os.pipe()
        os.write(sent, b"".join(orjson.dumps(each) + b"\n" for each in messages))
        os.close(sent)
        await stdio.serve(server, source, sink, 10_000)
        responses = [orjson.loads(line) for line in os.read(received, 65536).splitlines()]
        for descriptor in (source, sink, received):
            os.close(descriptor)
    lines = [(record.transport, record.message, record.operation) for record in log]
    assert lines == [("stdio", "initialize", None), ("stdio", "tools/call", "get")]
    assert log[1].request_id == "of-the-client"
    assert responses[1]["result"]["_meta"] == meta


async def test_call_by_the_application(log: Log) -> None:
    async with serving(log) as served:
        await served.host.call("rest.get", {"id": "1"})
    record = await log.only()
    assert (record.transport, record.operation, record.upstream_status) == ("host", "get", 200)
