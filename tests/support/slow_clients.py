"""A document with an exposer of every type, and clients that send or read too slowly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from .raw_http import CLOSE, Connection, RawUpstream, connect, raw_upstream, response

MEBIBYTE = bytes(2**20)

PING = b"GET /ping HTTP/1.1\r\n" + CLOSE + b"\r\n"

JSON_HEADERS = b"Host: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"


def document(upstream: str = "http://127.0.0.1:1", **keys: Any) -> dict[str, Any]:
    """Return a document with the exposers `rest`, `tools`, `skills` and `control`, unless `exposes` has others."""
    operations = [{"name": "read", "method": "GET"}, {"name": "add", "method": "POST"}]
    rest = [
        {"path": "/ping", "operations": [{"method": "GET", "outputParameters": [{"type": "string", "value": "pong"}]}]},
        {
            "path": "/echo",
            "operations": [
                {
                    "method": "POST",
                    "inputParameters": [{"name": "text", "in": "body", "type": "string"}],
                    "outputParameters": [{"type": "string", "value": "{{text}}"}],
                }
            ],
        },
        {"path": "/things/{id}", "operations": [{"method": "GET", "call": "api.read"}]},
        {"path": "/forward/{path}", "forward": {"targetNamespace": "api"}},
    ]
    exposes = [
        {"type": "rest", "namespace": "rest", "port": 0, "resources": rest},
        {
            "type": "mcp",
            "namespace": "tools",
            "port": 0,
            "tools": [{"name": "hello", "description": "d", "outputParameters": [{"type": "string", "value": "hi"}]}],
        },
        {
            "type": "skill",
            "namespace": "skills",
            "port": 0,
            "skills": [
                {
                    "name": "greeting",
                    "description": "d",
                    "tools": [
                        {"name": "hello", "description": "d", "from": {"sourceNamespace": "tools", "action": "hello"}}
                    ],
                }
            ],
        },
        {"type": "control", "namespace": "control", "port": 0, "management": {"logs": True}},
    ]
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Slow"},
        "capability": {
            "consumes": [
                {
                    "type": "http",
                    "namespace": "api",
                    "baseUri": upstream,
                    "resources": [{"path": "/things/{id}", "operations": operations}],
                    **keys.get("consumer", {}),
                }
            ],
            "exposes": keys.get("exposes", exposes),
        },
    }


def head(request_line: bytes, *headers: bytes) -> bytes:
    """Return the head of a request with a JSON body, whose length the headers say."""
    return request_line + b" HTTP/1.1\r\n" + JSON_HEADERS + b"".join(header + b"\r\n" for header in headers) + b"\r\n"


@asynccontextmanager
async def endless_upstream() -> AsyncIterator[tuple[RawUpstream, asyncio.Queue[str]]]:
    """Serve `{}`, below `/things/big` an endless body; the queue has `begun` and `ended` of each of these."""
    events: asyncio.Queue[str] = asyncio.Queue()

    async def serve(connection: Connection) -> None:
        while True:
            request, _ = await connection.read_request()
            if b"big" not in request.split(b"\r\n")[0]:
                await connection.send(response())
                continue
            events.put_nowait("begun")
            try:
                await connection.send(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % 2**50
                )
                while True:
                    await connection.send(MEBIBYTE)
            finally:
                events.put_nowait("ended")

    async with raw_upstream(serve) as upstream:
        yield upstream, events


async def drip(connection: Connection, byte: bytes = b"x", pause: float = 0.02) -> bytes:
    """Send a byte every `pause` seconds until the host responds or closes the connection; return its response."""
    received = b""
    while True:
        try:
            async with asyncio.timeout(pause):
                data = await connection.reader.read(2**16)
        except TimeoutError:
            connection.writer.write(byte)
            continue
        except ConnectionError:
            return received
        if not data:
            return received
        received += data


@asynccontextmanager
async def unread(port: int, path: bytes) -> AsyncIterator[Connection]:
    """Send a request whose response is not read."""
    async with connect(port) as connection:
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await connection.send(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        yield connection
