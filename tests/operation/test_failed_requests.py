"""Errors of failed requests state whether the request was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import ClientPayloadError

from adapter_host.testing import running
from tests.support.rest_and_mcp import Offered, document, operation, resource, tool
from tests.support.upstream import Api

ABSENT = b""
HALF = b'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"id": '
OTHER = b"SSH-2.0-OpenSSH_9.6\r\n\r\n"

CLOSED = "the upstream 'api' closed the connection before its response; the request was sent"
CUT_OFF = "the response of the upstream 'api' was cut off; the request was sent"
NO_HTTP = "the upstream 'api' did not respond in HTTP; the request was sent"
SLOW = "the upstream 'api' did not respond within 0.3 s; the request was sent"
UNREACHABLE = "the upstream 'api' cannot be reached; the request was not sent"


@dataclass
class Upstream:
    """An upstream that receives each request, sends `response`, and closes the connection unless it is None."""

    response: bytes | None = ABSENT
    requests: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        if self.response is None:
            await reader.read()
        else:
            writer.write(self.response)
        writer.close()


@asynccontextmanager
async def offering(transport: str) -> AsyncIterator[tuple[Upstream, asyncio.Server, Offered]]:
    upstream = Upstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    made = document(
        f"http://{host}:{port}",
        [resource("/orders", operation("order", "POST"), name="orders")],
        rest=[
            resource("/orders", operation("order", "POST", call="api.order")),
            {"path": "/all/{path}", "forward": {"targetNamespace": "api"}},
        ],
        tools=[tool("order", call="api.order")],
        consumer={"x-transport": transport},
    )
    async with server, running(made, total_timeout=0.3) as served:
        yield upstream, server, Offered(Api(), served)


@pytest.mark.parametrize("transport", ["native", "aiohttp"])
@pytest.mark.parametrize(
    ("response", "status", "title", "detail"),
    [
        pytest.param(ABSENT, 502, "Upstream disconnected", CLOSED, id="no response"),
        pytest.param(HALF, 502, "Incomplete upstream response", CUT_OFF, id="half a response"),
        pytest.param(OTHER, 502, "Invalid upstream response", NO_HTTP, id="no HTTP"),
        pytest.param(None, 504, "Upstream timeout", SLOW, id="no response in time"),
    ],
)
async def test_request_that_was_sent(
    transport: str,
    response: bytes | None,
    status: int,
    title: str,
    detail: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with offering(transport) as (upstream, _, offered):
        upstream.response = response
        received = await offered.rest("POST", "/orders")
        called = await offered.tool("order")
        if response != HALF:
            forwarded = (await offered.rest("POST", "/all/orders")).data
        else:
            # Its status has been passed on, so only the end of the connection can report the failure.
            forwarded = received.data
            with pytest.raises(ClientPayloadError):
                await offered.rest("POST", "/all/orders")
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail, "sent": True}
    assert (received.status, {**received.data, "request_id": ""}) == (status, {**problem, "request_id": ""})
    assert {**forwarded, "request_id": ""} == {**problem, "request_id": ""}
    assert (called.failed, called.text) == (True, detail)
    assert any(detail in record.getMessage() for record in caplog.records if record.name == "adapter_host.rest")
    assert len(upstream.requests) == 3


@pytest.mark.parametrize("transport", ["native", "aiohttp"])
async def test_request_that_was_not_sent(transport: str, caplog: pytest.LogCaptureFixture) -> None:
    async with offering(transport) as (upstream, server, offered):
        server.close()
        received = await offered.rest("POST", "/orders")
        called = await offered.tool("order")
        forwarded = await offered.rest("POST", "/all/orders")
    assert (received.status, received.data["detail"], received.data["sent"]) == (502, UNREACHABLE, False)
    assert (forwarded.status, forwarded.data["detail"], forwarded.data["sent"]) == (502, UNREACHABLE, False)
    assert (called.failed, called.text) == (True, UNREACHABLE)
    assert any(UNREACHABLE in record.getMessage() for record in caplog.records if record.name == "adapter_host.rest")
    assert upstream.requests == []
