"""The records of the access log: one for each request, through every kind of exposer."""

from __future__ import annotations

import asyncio
import os
import re
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


async def send(url: str, data: bytes) -> tuple[int, str]:
    """Send bytes over a connection of their own; return the status and the request id of the response."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    received = (await reader.read()).decode()
    writer.close()
    head = received.partition("\r\n\r\n")[0]
    return int(head.split(" ")[1]), re.findall("(?i)x-request-id: (.*)", head)[0].strip()


@pytest.mark.parametrize(
    ("settings", "data", "status", "error", "method"),
    [
        ({"header_timeout": 0.1}, b"GET /s3cr3t HTTP/1.1\r\nHost: a", 408, "request-timeout", None),
        (
            {"body_timeout": 0.1},
            b"GET /things/1 HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Key: k3y\r\nContent-Length: 9\r\n\r\n",
            408,
            "request-timeout",
            "GET",
        ),
        (
            {},
            b"GET /things/1 HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Key: k3y\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            400,
            None,
            None,
        ),
        ({}, b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % (b"s" * 9000), 400, None, None),
        ({}, b"GET / HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n" % (b"s" * 9000), 400, None, None),
        ({}, b"\x16\x03\x01\x02\x00", 400, None, None),
        ({}, b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501, None, "CONNECT"),
    ],
    ids=["slow head", "slow body", "chunk", "long target", "long header", "tls", "CONNECT"],
)
async def test_response_below_routing(
    log: Log, settings: dict[str, Any], data: bytes, status: int, error: str | None, method: str | None
) -> None:
    async with serving(log, **settings) as served:
        received_status, request_id = await send(served.url("rest"), data)
        record = await log.only()
    assert (received_status, record.status, record.error, record.method) == (status, status, error, method)
    assert (record.request_id, record.site.exposer, record.client_address) == (request_id, "rest", PEER)
    assert record.size is not None
    assert record.size > 100
    assert "s3cr3t" not in repr(record)


async def test_refused_connection(log: Log) -> None:
    async with serving(log, connection_limit_per_address=1) as served:
        url = served.url("rest")
        host, _, port = url.removeprefix("http://").rpartition(":")
        _, first = await asyncio.open_connection(host, int(port))
        status, request_id = await send(url, b"")
        first.close()
        record = await log.only()
    assert (status, record.status, record.error, record.request_id) == (503, 503, "too-many-connections", request_id)
    assert (record.site.exposer, record.client_address, record.method) == ("rest", PEER, None)


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


async def test_kept_response(log: Log) -> None:
    kept = Result(data={})
    kept.cached = "hit"
    async with serving(log) as served:
        served.fake("api").responses["get"] = lambda _: kept
        await request(f"{served.url('rest')}/things/1", headers=HEADERS)
        assert (await log.only()).cached == "hit"


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
