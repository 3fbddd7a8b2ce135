"""Requests in wire format, for every transport."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import OK, always_respond


def fields(request: bytes) -> dict[bytes, bytes]:
    lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    pairs = [line.partition(b": ")[::2] for line in lines]
    headers = {name.lower(): value for name, value in pairs}
    assert len(headers) == len(pairs)
    return headers


async def test_request(serve: Any, connect: Any) -> None:
    server = await serve(always_respond(OK))
    await (await connect(server)).send("GET", "/a%2Fb/c?d=e%20f&g", headers={"X-Own": "two words"})
    (request,) = server.requests
    assert request.startswith(b"GET /a%2Fb/c?d=e%20f&g HTTP/1.1\r\n")
    assert request.endswith(b"\r\n\r\n")
    headers = fields(request)
    assert headers.pop(b"accept", b"*/*") == b"*/*"
    headers.pop(b"user-agent", None)
    assert headers == {
        b"host": b"127.0.0.1:%d" % server.port,
        b"x-fixed": b"1",
        b"x-own": b"two words",
        b"accept-encoding": b"gzip, deflate",
    }


@pytest.mark.smoke(uvloop=("POST",))
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("body", [b"", b"text", b"x" * 300_000])
async def test_request_with_body(method: str, body: bytes, serve: Any, connect: Any) -> None:
    server = await serve(always_respond(OK))
    await (await connect(server)).send(method, body=body, headers={"Content-Type": "text/plain"})
    (request,) = server.requests
    assert request.partition(b"\r\n\r\n")[2] == body
    headers = fields(request)
    assert headers[b"content-length"] == b"%d" % len(body)
    assert headers[b"content-type"] == b"text/plain"
    assert b"transfer-encoding" not in headers
    assert b"expect" not in headers


@pytest.mark.smoke(uvloop=("POST",))
@pytest.mark.parametrize(
    ("method", "length"), [("GET", None), ("HEAD", None), ("POST", b"0"), ("PUT", b"0"), ("PATCH", b"0")]
)
async def test_request_without_body(method: str, length: bytes | None, serve: Any, connect: Any) -> None:
    server = await serve(always_respond(b"HTTP/1.1 204 No Content\r\n\r\n"))
    await (await connect(server)).send(method)
    headers = fields(server.requests[0])
    assert headers.get(b"content-length") == length
    assert b"content-type" not in headers
    assert b"transfer-encoding" not in headers


async def test_accept_encoding_of_the_call(serve: Any, connect: Any) -> None:
    server = await serve(always_respond(OK))
    await (await connect(server)).send(accept_codings=False, headers={"Accept-Encoding": "identity"})
    assert fields(server.requests[0])[b"accept-encoding"] == b"identity"


@pytest.mark.smoke(uvloop=())
@pytest.mark.parametrize("breaking", ["\r\nX-Evil: 1", "\n", "\r", "a\r\n\r\nGET / HTTP/1.1", "\0"])
async def test_header_injection_is_rejected(breaking: str, serve: Any, connect: Any) -> None:
    server = await serve(always_respond(OK))
    client = await connect(server)
    with pytest.raises(ValueError, match=r"\w"):
        await client.send(headers={"X-Own": f"a{breaking}b"})
    with pytest.raises(ValueError, match=r"\w"):
        await client.send(headers={f"X-Own{breaking}": "a"})
    assert server.requests == []
    assert await client.body() == b"ok"


@pytest.mark.smoke(uvloop=())
@pytest.mark.parametrize("target", ["/a b", "/a\r\nX-Evil: 1", "/a HTTP/1.1\r\nHost: evil", "/\0"])
async def test_target_injection_is_rejected(target: str, serve: Any, connect: Any, known_difference: Any) -> None:
    if " " in target:
        known_difference("aiohttp", "targets are sent without a check")
    server = await serve(always_respond(OK))
    client = await connect(server)
    with pytest.raises(ValueError, match=r"\w"):
        await client.send(target=target)
    assert server.requests == []
