"""Encoded request bodies: bombs, truncated and false codings, and bodies that are passed on."""

from __future__ import annotations

import gzip
import json
import threading
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from adapter_host import Host, Plugins, Settings, attach
from adapter_host.testing import Running, running
from tests.support.raw_http import Connection, connect, exchange, raw_upstream, response, status_of

MEBIBYTE = 2**20
SECRET = "s" * 40

ECHO = {
    "method": "POST",
    "inputParameters": [{"name": "text", "in": "body", "type": "string"}],
    "outputParameters": [{"name": "size", "type": "string", "value": "{{text}}"}],
}
HELLO = {"method": "GET", "outputParameters": [{"type": "string", "value": "hello"}]}
TOOL = {
    "name": "hello",
    "description": "Say hello",
    "inputParameters": [{"name": "text", "type": "string", "description": "A text"}],
    "outputParameters": [{"name": "text", "type": "string", "value": "{{text}}"}],
}
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "hello", "arguments": {"text": "all"}}}


def exposer(type_name: str, namespace: str, **keys: Any) -> dict[str, Any]:
    return {"type": type_name, "namespace": namespace, "address": "127.0.0.1", "port": 0, **keys}


def document(upstream: str = "http://127.0.0.1:1") -> dict[str, Any]:
    rest = [
        {"path": "/echo", "operations": [ECHO]},
        {"path": "/hello", "operations": [HELLO]},
        {"path": "/forward/{path}", "forward": {"targetNamespace": "api"}},
    ]
    return {
        "naftiko": "1.0.0-alpha2",
        "capability": {
            "consumes": [{"type": "http", "namespace": "api", "baseUri": upstream}],
            "exposes": [
                exposer("rest", "rest", resources=rest),
                exposer("rest", "guarded", resources=rest[:2], authentication={"type": "bearer", "token": SECRET}),
                exposer("mcp", "mcp", tools=[TOOL]),
                exposer("control", "control", management={"logs": True}),
                exposer("skill", "skill", skills=[{"name": "greet", "description": "Greet"}]),
            ],
        },
    }


def port_of(served: Running, namespace: str) -> int:
    return int(served.url(namespace).split(":")[2].split("/")[0])


def post(target: str, body: bytes, *headers: str, method: str = "POST", coding: str = "gzip") -> bytes:
    lines = [
        f"{method} {target} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        "Accept: application/json",
        f"Content-Encoding: {coding}",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def bomb(mebibytes: int) -> bytes:
    """Return gzip data of letters; a block that can be repeated makes it fast to build."""
    block = b"a" * MEBIBYTE
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    head = packer.compress(b"a") + packer.flush(zlib.Z_FULL_FLUSH)
    repeated = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + repeated * mebibytes


TARGETS = {
    "rest": ("POST", "/echo", json.dumps({"text": "all"}).encode()),
    "mcp": ("POST", "/mcp", json.dumps(CALL).encode()),
    "control": ("PUT", "/logs/adapter_host", b'{"level": null}'),
}


async def test_bomb_without_credentials_is_not_decoded() -> None:
    # Decoded, it takes longer than the ten seconds after which aiohttp closes a connection with an unread body.
    body = bomb(8192)
    async with running(document()) as served, connect(port_of(served, "guarded")) as attack:
        await attack.send(post("/nowhere", body))
        assert status_of(await attack.read_head()) == 401
        hello = b"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        assert status_of(await exchange(port_of(served, "rest"), hello)) == 200
        # The connection is still open: its body is complete, and was discarded as it came.
        await attack.send(hello)
        assert b" 401 " in await attack.read_all()


@pytest.mark.parametrize("target", ["/hello", "/nowhere"])
async def test_unread_bomb_is_not_decoded(target: str) -> None:
    body = bomb(8192)
    async with running(document()) as served, connect(port_of(served, "rest")) as attack:
        await attack.send(post(target, body, method="GET") + post("/hello", b"", "Connection: close", method="GET"))
        assert (await attack.read_all()).endswith(b'"hello"')


@pytest.mark.parametrize("namespace", TARGETS)
async def test_bomb_of_an_authorized_caller_is_limited(namespace: str) -> None:
    method, target, _ = TARGETS[namespace]
    request = post(target, bomb(64), "Connection: close", method=method)
    async with running(document()) as served:
        assert status_of(await exchange(port_of(served, namespace), request)) == 413


INVALID = {
    "no gzip": ("gzip", b"junkjunk"),
    "no deflate": ("deflate", b"\xff\xff junk"),
    "truncated checksum": ("gzip", gzip.compress(b"{}")[:-1]),
    "no checksum": ("gzip", gzip.compress(b"{}")[:-8]),
    "truncated data": ("gzip", gzip.compress(bytes(range(256)))[:100]),
    "wrong checksum": ("gzip", gzip.compress(b"{}")[:-8] + b"\0" * 8),
    "data after gzip": ("gzip", gzip.compress(b"{}") + b"more"),
    "data after deflate": ("deflate", zlib.compress(b"{}") + b"more"),
    "truncated deflate": ("deflate", zlib.compress(b"{}")[:-1]),
    "half a second member": ("gzip", gzip.compress(b"{") + gzip.compress(b"}")[:-1]),
    "many empty members": ("gzip", gzip.compress(b"") * 5000),
}


@pytest.mark.parametrize("namespace", TARGETS)
@pytest.mark.parametrize("case", INVALID)
async def test_false_or_truncated_coding_is_a_client_error(
    namespace: str, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    method, target, valid = TARGETS[namespace]
    coding, body = INVALID[case]
    async with running(document()) as served:
        port = port_of(served, namespace)
        invalid = post(target, body, "Connection: close", method=method, coding=coding)
        assert status_of(await exchange(port, invalid)) == 400
        # Complete but for its checksum, it is a valid request.
        truncated = post(target, gzip.compress(valid)[:-8], "Connection: close", method=method)
        assert status_of(await exchange(port, truncated)) == 400
        complete = post(target, gzip.compress(valid), "Connection: close", method=method)
        assert status_of(await exchange(port, complete)) == 200
    assert "unexpected" not in caplog.text


@pytest.mark.parametrize("namespace", TARGETS)
@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress", "x-unknown"])
async def test_other_codings_are_refused(namespace: str, coding: str) -> None:
    method, target, valid = TARGETS[namespace]
    async with running(document()) as served:
        request = post(target, valid, "Connection: close", method=method, coding=coding)
        refused = await exchange(port_of(served, namespace), request)
    assert status_of(refused) == 415
    assert b"\r\nAccept-Encoding: gzip, deflate\r\n" in refused


@pytest.mark.parametrize("namespace", TARGETS)
@pytest.mark.parametrize("coding", ["gzip", "X-GZip", "deflate", "raw deflate", "identity", "two members", "large"])
async def test_valid_codings_are_decoded(namespace: str, coding: str) -> None:
    method, target, valid = TARGETS[namespace]
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bodies = {
        "deflate": zlib.compress(valid),
        "raw deflate": raw.compress(valid) + raw.flush(),
        "identity": valid,
        "two members": gzip.compress(valid[:5]) + gzip.compress(valid[5:]),
        "large": gzip.compress(valid + b" " * (9 * MEBIBYTE)),
    }
    name = {"raw deflate": "deflate", "two members": "gzip", "large": "gzip"}.get(coding, coding)
    request = post(target, bodies.get(coding, gzip.compress(valid)), "Connection: close", method=method, coding=name)
    async with running(document()) as served:
        assert status_of(await exchange(port_of(served, namespace), request)) == 200


async def test_large_bodies_are_decoded_in_threads_of_their_own() -> None:
    text = json.dumps({"text": "a" * (8 * MEBIBYTE)}).encode()
    async with running(document()) as served:
        before = {thread.name for thread in threading.enumerate()}
        sent = await exchange(port_of(served, "rest"), post("/echo", gzip.compress(text, 1), "Connection: close"))
        assert status_of(sent) == 200
        assert sent.endswith(b'"size":"' + b"a" * (8 * MEBIBYTE) + b'"}')
        started = {thread.name for thread in threading.enumerate()} - before
    assert any(name.startswith("adapter-host-decode") for name in started | before)
    assert not any(name.startswith("asyncio") for name in started)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "x-unknown", "gzip, br"])
async def test_forwarded_body_is_untouched(coding: str) -> None:
    received: list[tuple[bytes, bytes]] = []

    async def serve(connection: Connection) -> None:
        received.append(await connection.read_request())
        await connection.send(response())

    body = b"neither gzip nor anything else"
    async with raw_upstream(serve) as upstream, running(document(upstream.url)) as served:
        request = post("/forward/a", body, "Connection: close", coding=coding)
        assert status_of(await exchange(port_of(served, "rest"), request)) == 200
    [(head, forwarded)] = received
    assert forwarded == body
    assert f"\r\ncontent-encoding: {coding}\r\n".encode() in head.lower()
    assert b"\r\ncontent-length: %d\r\n" % len(body) in head.lower()


async def test_exposer_without_bodies_refuses_encoded_ones() -> None:
    async with running(document()) as served:
        port = port_of(served, "skill")
        refused = await exchange(port, post("/skills", b"junkjunk", "Connection: close", method="GET"))
        assert (status_of(refused), b"\r\nAccept-Encoding: identity\r\n" in refused) == (415, True)
        plain = post("/skills", b"junkjunk", "Connection: close", method="GET", coding="identity")
        assert status_of(await exchange(port, plain)) == 200


@asynccontextmanager
async def attached(*, auto_decompress: bool) -> AsyncIterator[tuple[int, list[tuple[web.Request, int]]]]:
    """Serve the document in another application; yield its port, and all requests with their statuses."""
    served: list[tuple[web.Request, int]] = []

    @web.middleware
    async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
        sent = await handler(request)
        served.append((request, sent.status))
        return sent

    app = web.Application(middlewares=[record])
    attach(app, Host(document(), settings=Settings(environment={}), plugins=Plugins.installed()))
    runner = web.AppRunner(app, auto_decompress=auto_decompress)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield runner.addresses[0][1], served
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("auto_decompress", [True, False])
async def test_attached_host_does_not_decode_what_it_rejects(*, auto_decompress: bool) -> None:
    async with attached(auto_decompress=auto_decompress) as (port, served):
        for target in ("/guarded/echo", "/rest/nowhere", "/rest/echo"):
            async with connect(port) as attack:
                # The connection may be closed before the client has sent everything.
                with suppress(ConnectionError):
                    await attack.send(post(target, bomb(4096), "Connection: close"))
                    await attack.read_all()
    assert [status for _, status in served] == [401, 404, 413]
    # The last body was read up to the limit.
    assert all(request.content.total_bytes < 64 * MEBIBYTE for request, _ in served)


@pytest.mark.parametrize("auto_decompress", [True, False])
@pytest.mark.parametrize("namespace", ["rest", "mcp"])
async def test_attached_host_reads_encoded_bodies(namespace: str, *, auto_decompress: bool) -> None:
    method, target, valid = TARGETS[namespace]
    async with attached(auto_decompress=auto_decompress) as (port, served):
        for body, status in ((gzip.compress(valid), 200), (b"junkjunk", 400)):
            request = post(f"/{namespace}{target}", body, "Connection: close", method=method)
            assert status_of(await exchange(port, request)) == status
    # Its own middlewares see the same headers in both cases.
    assert [request.headers[hdrs.CONTENT_ENCODING] for request, _ in served] == ["gzip", "gzip"]
