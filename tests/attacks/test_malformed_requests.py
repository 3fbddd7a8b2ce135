"""Attacks by requests that are not quite HTTP: their log lines, their responses, and the state of the connection."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import yaml
from aiohttp import web

from adapter_host import Host, Settings, attach
from adapter_host.server.connection.protocol_errors import malformation
from adapter_host.server.connection.rate_limited_log import RateLimitedLog
from tests.support.raw_http import CLOSE, connect, exchange, status_of

SECRET = b"s3cret-key"

DOCUMENT = """
naftiko: 1.0.0-alpha2
info: {label: Attacked}
binds: [{namespace: env, keys: {KEY: REST_KEY}}]
capability:
  exposes:
    - type: rest
      namespace: rest
      port: 0
      authentication: {type: apikey, key: k, value: "{{env.KEY}}", placement: query}
      resources:
        - path: /constant
          operations:
            - {method: GET, outputParameters: [{type: string, value: hello}]}
            - method: POST
              inputParameters: [{name: s, in: body, type: string, required: false}]
              outputParameters: [{type: string, value: taken}]
    - type: mcp
      namespace: mcp
      port: 0
      tools: [{name: hello, description: d, outputParameters: [{name: t, type: string, value: hello}]}]
    - type: skill
      namespace: skill
      port: 0
      skills: [{name: nothing, description: d}]
    - {type: control, namespace: control, port: 0, management: {logs: true}}
"""
EXPOSERS = ("rest", "mcp", "skill", "control")
POST = b"Host: localhost\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
CHUNKED = b"POST %b HTTP/%b\r\n%bConnection: %b\r\nTransfer-Encoding: %b\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


def build_host() -> Host:
    return Host(yaml.safe_load(DOCUMENT), settings=Settings(environment={"REST_KEY": SECRET.decode()}))


@asynccontextmanager
async def serving() -> AsyncIterator[dict[str, int]]:
    """Serve a capability, and yield the ports by namespace."""
    host = build_host()
    await host.start()
    try:
        yield {status.namespace: int((status.url or "").split(":")[2].split("/")[0]) for status in host.status()}
    finally:
        await host.stop()


def server_headers(response: bytes) -> list[bytes]:
    head = response.partition(b"\r\n\r\n")[0]
    return [line for line in head.split(b"\r\n") if line.lower().startswith(b"server:")]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    caplog.set_level(logging.DEBUG)
    yield caplog
    text = "\n".join(map(caplog.handler.format, caplog.records))
    assert SECRET.decode() not in text
    assert "Traceback" not in text


MALFORMED = {
    "query": b"GET /a?k=s3cret-key&name=caf\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "header value": b"GET /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer s3cret-key\x01\r\n\r\n",
    "header name": b"GET /a HTTP/1.1\r\nHost: localhost\r\ns3cret-key\x01: a\r\n\r\n",
    "long target": b"GET /?k=s3cret-key" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "long header": b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: s3cret-key" + b"a" * 9000 + b"\r\n\r\n",
    "target": b"GET s3cret-key HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "port": b"GET http://localhost:99999/s3cret-key HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "method": b"S3CRET /s3cret-key HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "version": b"GET /?k=s3cret-key HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "no host": b"GET /?k=s3cret-key HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /?k=s3cret-key HTTP/1.1\r\nHost: s3cret-key\r\nHost: localhost\r\n\r\n",
    "length": b"POST /constant?k=s3cret-key HTTP/1.1\r\nHost: localhost\r\nContent-Length: s3cret-key\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00s3cret-key\r\n\r\n",
}


@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED)
async def test_nothing_of_a_malformed_request_is_logged(request_: bytes, log: pytest.LogCaptureFixture) -> None:
    async with serving() as ports:
        for exposer in EXPOSERS:
            response = await exchange(ports[exposer], request_)
            assert status_of(response) == 400
            assert SECRET not in response
            assert server_headers(response) == [b"Server: adapter-host"]
    malformed = [message for message in log.messages if "malformed" in message]
    assert len(malformed) == len(EXPOSERS)
    assert all(message.startswith("rejected a malformed request from 127.0.0.1: ") for message in malformed)


@pytest.mark.parametrize(
    "target",
    [b"POST /constant", b"POST /constant?k=s3cret-key", b"POST /mcp", b"POST /skills", b"PUT /logs/adapter_host"],
)
async def test_nothing_of_a_malformed_chunk_is_logged(target: bytes, log: pytest.LogCaptureFixture) -> None:
    head = target + b" HTTP/1.1\r\n" + POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n"
    async with serving() as ports:
        for exposer in EXPOSERS:
            response = await exchange(ports[exposer], head + b"{    s3cret-key\r\n\r\n")
            assert 400 <= status_of(response) < 500, response
            assert SECRET not in response


def test_malformation_names_no_part_of_a_request() -> None:
    assert malformation(web.RequestPayloadError("400, message:\n  Invalid chunk:\n\n s3cret-key")) == "invalid body"
    assert malformation(RuntimeError("s3cret-key")) == "malformed message"


def test_repeated_warnings_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    now = 10.0
    log = RateLimitedLog(logging.getLogger("adapter_host"), lambda: now)
    for client in ("a", "b", "c"):
        log.warning("rejected %s", client)
    now = 11.0
    log.warning("rejected %s", "d")
    now = 12.0
    log.warning("rejected %s", "e")
    assert caplog.messages == ["rejected a", "rejected d (and 2 more before)", "rejected e"]


async def test_versions_are_not_sent() -> None:
    async with serving() as ports:
        for exposer, path in (("mcp", b"/mcp"), ("rest", b"/none"), ("skill", b"/none"), ("control", b"/none")):
            for method in (b"GET", b"PUT", b"POST"):
                response = await exchange(ports[exposer], method + b" " + path + b" HTTP/1.1\r\n" + CLOSE + b"\r\n")
                assert server_headers(response) == [b"Server: adapter-host"]
        body = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
        request = b"POST /mcp HTTP/1.1\r\n" + POST + b"Connection: close\r\nContent-Length: 40\r\n\r\n" + body
        response = await exchange(ports["mcp"], request)
        assert status_of(response) == 200
        assert server_headers(response) == [b"Server: adapter-host"]


async def test_versions_are_not_sent_inside_another_application() -> None:
    app = web.Application()
    attach(app, build_host())
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        for path in (b"/mcp/mcp", b"/rest/constant", b"/rest/none"):
            response = await exchange(port, b"PUT " + path + b" HTTP/1.1\r\n" + CLOSE + b"\r\n")
            assert server_headers(response) == [b"Server: adapter-host"], path
    finally:
        await runner.cleanup()


async def test_connection_closes_after_chunks_of_http_1_0() -> None:
    smuggled = b"GET /constant?k=s3cret-key HTTP/1.1\r\nHost: localhost\r\n\r\n"
    request = CHUNKED % (b"/constant?k=s3cret-key", b"1.0", POST, b"keep-alive", b"chunked")
    async with serving() as ports:
        response = await exchange(ports["rest"], request + smuggled)
        assert response.count(b"HTTP/1.") == 1
        assert status_of(response) == 200
        async with connect(ports["rest"]) as connection:
            await connection.send(CHUNKED % (b"/constant?k=s3cret-key", b"1.1", POST, b"keep-alive", b"chunked"))
            await connection.read_head()
            await connection.send(smuggled)
            assert b"hello" in await connection.reader.readuntil(b"hello")


@pytest.mark.parametrize(
    ("coding", "status"), [(b"gzip, chunked", 501), (b"chunked, chunked", 400), (b"gzip", 400), (b"Chunked", 200)]
)
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_transfer_codings(coding: bytes, status: int, version: bytes) -> None:
    async with serving() as ports:
        request = CHUNKED % (b"/constant?k=s3cret-key", version, POST, b"close", coding)
        assert status_of(await exchange(ports["rest"], request)) == status


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        (b"http://localhost/constant?k=s3cret-key", b"evil.example", 200),
        (b"https://localhost:1/constant?k=s3cret-key", b"evil.example", 200),
        (b"http://evil.example/constant?k=s3cret-key", b"localhost", 421),
        (b"http://localhost", b"localhost", 401),
        (b"http://key@localhost/constant?k=s3cret-key", b"localhost", 400),
        (b"ftp://localhost/constant?k=s3cret-key", b"localhost", 400),
    ],
)
async def test_absolute_targets(target: bytes, host: bytes, status: int) -> None:
    async with serving() as ports:
        request = b"GET " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
        assert status_of(await exchange(ports["rest"], request)) == status


async def test_other_targets() -> None:
    async with serving() as ports:
        assert status_of(await exchange(ports["mcp"], b"CONNECT a.example:80 HTTP/1.1\r\n" + CLOSE + b"\r\n")) == 501
        assert status_of(await exchange(ports["mcp"], b"OPTIONS * HTTP/1.1\r\n" + CLOSE + b"\r\n")) == 404


@pytest.mark.parametrize("version", [b"0.9", b"2.0"])
@pytest.mark.parametrize("namespace", ["rest", "mcp"])
async def test_versions_of_http_that_are_not_supported(version: bytes, namespace: str) -> None:
    request = b"GET /constant?k=s3cret-key HTTP/%b\r\nHost: localhost\r\n\r\n" % version
    async with serving() as ports:
        response = await exchange(ports[namespace], request)
    assert response.startswith(b"HTTP/1.1 505 ")
