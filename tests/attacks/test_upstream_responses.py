"""Hostile responses of an API: data after a response, and compressed bodies that cost more than they contain."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adapter_host import UnavailableError
from adapter_host.auth.oauth2.authorization_server import AuthorizationServer
from adapter_host.openapi.source.fetch import Fetcher, FetchError
from adapter_host.testing import running
from tests.support.raw_http import CLOSE, Connection, exchange, raw_upstream, response, status_of

ALICE = response(b'{"private": "alice"}')
BOB = response(b'{"owner": "bob"}')
TRANSPORTS = pytest.mark.parametrize("transport", ["native", "aiohttp"])

PARSED = {"type": "object", "properties": {"a": {"type": "number"}}}

Serve = Callable[[Connection], Awaitable[None]]


def document(url: str, transport: str) -> dict[str, Any]:
    operation = {"name": "read", "method": "GET"}
    api = {"type": "http", "namespace": "api", "baseUri": url, "x-transport": transport}
    constant = [{"method": "GET", "outputParameters": [{"type": "string", "value": "hello"}]}]
    resources = [
        {"path": "/things/{id}", "operations": [{"method": "GET", "call": "api.read"}]},
        {"path": "/parsed/{id}", "operations": [{"method": "GET", "call": "api.read", "outputParameters": [PARSED]}]},
        {"path": "/forward/{path}", "forward": {"targetNamespace": "api"}},
        {"path": "/constant", "operations": constant},
    ]
    return {
        "naftiko": "1.0.0-alpha2",
        "capability": {
            "consumes": [{**api, "resources": [{"path": "/things/{id}", "operations": [operation]}]}],
            "exposes": [{"type": "rest", "namespace": "site", "port": 0, "resources": resources}],
        },
    }


@asynccontextmanager
async def serving(transport: str, serve: Serve) -> AsyncIterator[int]:
    """Serve a host whose API is a coroutine for each connection; yield its port."""
    async with raw_upstream(serve) as upstream, running(document(upstream.url, transport)) as host:
        yield int(host.url("site").split(":")[2].split("/")[0])


async def let_loop_run(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def get(port: int, path: str, method: str = "GET") -> bytes:
    return await exchange(port, f"{method} {path} HTTP/1.1\r\n".encode() + CLOSE + b"\r\n")


def announced(status: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n" % (status, len(ALICE))


HEADS = {
    "204": ("GET", "/things/alice", announced(b"204 No Content")),
    "304": ("GET", "/forward/things/alice", announced(b"304 Not Modified")),
    "HEAD": ("HEAD", "/forward/things/alice", announced(b"200 OK")),
    "HEAD in chunks": ("HEAD", "/forward/things/alice", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "HEAD with nothing": ("HEAD", "/forward/things/alice", b"HTTP/1.1 200 OK\r\n\r\n"),
    "103": ("GET", "/things/alice", announced(b"103 Early Hints") + response()),
    "204 in chunks": (
        "GET", "/things/alice", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
    "HTTP/1.0 in chunks": (
        "GET",
        "/forward/things/alice",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
}  # fmt: skip


@TRANSPORTS
@pytest.mark.parametrize("kind", HEADS)
async def test_forbidden_body_is_not_the_next_response(kind: str, transport: str) -> None:
    """The body arrives when the request of another caller is on its way."""
    method, path, head = HEADS[kind]

    async def serve(connection: Connection) -> None:
        while True:
            request, _ = await connection.read_request()
            if b"alice" not in request:
                await connection.send(BOB)
                continue
            await connection.send(head)
            await connection.read_request()
            await connection.send(ALICE)

    async with serving(transport, serve) as port:
        assert status_of(await get(port, path, method)) in (200, 204, 304)
        assert (await get(port, "/things/bob")).endswith(b'{"owner": "bob"}')


@TRANSPORTS
@pytest.mark.parametrize("end", [len(ALICE), 4, 20])
@pytest.mark.parametrize("pieces", [1, 2])
async def test_data_with_a_response_is_not_the_next_response(pieces: int, end: int, transport: str) -> None:
    """The data, a response or its beginning, is in one packet with the end of the response before."""
    body = response(b'{"name": "alice"}')

    async def serve(connection: Connection) -> None:
        while True:
            request, _ = await connection.read_request()
            if b"alice" not in request:
                await connection.send(BOB)
                continue
            start = len(body) - 3 if pieces == 2 else 0
            await connection.send(body[:start])
            await let_loop_run(20)
            await connection.send(body[start:] + ALICE[:end])
            await connection.read_request()
            await connection.send(ALICE[end:])

    async with serving(transport, serve) as port:
        # aiohttp rejects the response, too, if both come in one packet.
        assert status_of(await get(port, "/things/alice")) in (200, 502)
        assert (await get(port, "/things/bob")).endswith(b'{"owner": "bob"}')


async def test_data_after_an_introspection_is_not_the_next_introspection() -> None:
    revoked, root = response(b'{"active": false}'), response(b'{"active": true, "sub": "root"}')

    async def serve(connection: Connection) -> None:
        _, form = await connection.read_request()
        if form != b"token=first":
            await connection.send(revoked)
            return
        await connection.send(revoked[:-3])
        await let_loop_run(20)
        await connection.send(revoked[-3:] + root)
        await connection.read_request()

    async with raw_upstream(serve) as upstream:
        server = AuthorizationServer(upstream.url)
        await server.start()
        for token in ("first", "second"):
            assert await server.request_json(upstream.url, {"token": token}) == {"active": False}
        await server.stop()
    assert len(upstream.connections) == 2


def compressed(body: bytes) -> bytes:
    return response(body, b"Content-Encoding: gzip")


@TRANSPORTS
async def test_other_callers_are_served_while_members_are_decoded(transport: str) -> None:
    """A MiB of gzip members of 2 bytes each: a copy of the rest after each of them took quadratic time."""
    members = compressed(gzip.compress(b"  ", mtime=0) * (2**20 // 22) + gzip.compress(b'{"a": 1}'))
    sent = asyncio.Event()

    async def serve(connection: Connection) -> None:
        await connection.read_request()
        await connection.send(members)
        sent.set()

    ended: list[str] = []

    async def call(port: int, path: str) -> bytes:
        received = await get(port, path)
        ended.append(path)
        return received

    async with serving(transport, serve) as port:
        attack = asyncio.create_task(call(port, "/parsed/1"))
        await sent.wait()
        # The host, in the same event loop, receives the end of the response.
        await let_loop_run(100)
        assert (await call(port, "/constant")).endswith(b'"hello"')
        assert (await attack).endswith(b'{"a":1}')
    assert ended == ["/constant", "/parsed/1"]


@TRANSPORTS
async def test_members_without_content_are_an_invalid_response(transport: str, caplog: Any) -> None:
    members = compressed(gzip.compress(b"", mtime=0) * 50_000 + gzip.compress(b'{"a": 1}'))

    async def serve(connection: Connection) -> None:
        await connection.read_request()
        await connection.send(members)

    async with serving(transport, serve) as port:
        assert status_of(await get(port, "/parsed/1")) == 502
    assert "a compressed response with too little content" in caplog.text


async def test_metadata_and_keys_are_not_decompressed() -> None:
    heads: list[bytes] = []

    async def serve(connection: Connection) -> None:
        heads.append((await connection.read_request())[0])
        await connection.send(compressed(gzip.compress(b'{"keys": []}')))

    async with raw_upstream(serve) as upstream:
        server = AuthorizationServer(upstream.url)
        await server.start()
        with pytest.raises(UnavailableError):
            await server.request_json(upstream.url)
        await server.stop()
    assert b"\r\nAccept-Encoding: identity\r\n" in heads[0]


async def test_imported_documents_are_not_decompressed() -> None:
    async def serve(connection: Connection) -> None:
        await connection.read_request()
        await connection.send(compressed(gzip.compress(b"openapi: 3.1.0")))

    async with raw_upstream(serve) as upstream:
        with pytest.raises(FetchError, match="compressed"):
            await asyncio.to_thread(Fetcher().fetch_first, upstream.url, 1000)


@TRANSPORTS
async def test_attempts_include_requests_of_stale_connections(transport: str) -> None:
    """Each second request of a connection ends without a response, and each first one with a 503."""
    requests: list[bytes] = []

    async def serve(connection: Connection) -> None:
        for number in range(2):
            requests.append((await connection.read_request())[0].split()[1])
            if requests[-1] == b"/things/warm":
                await connection.send(response())
            elif number == 0:
                await connection.send(response(status=b"503 Busy"))

    async with raw_upstream(serve) as upstream:
        served = document(upstream.url, transport)
        served["capability"]["consumes"][0]["x-resilience"] = {"retry": {"attempts": 4, "backoff": 0.01}}
        async with running(served) as host:
            port = int(host.url("site").split(":")[2].split("/")[0])
            assert status_of(await get(port, "/things/warm")) == 200
            assert status_of(await get(port, "/things/1")) in (502, 503)
    assert requests.count(b"/things/1") == 4
