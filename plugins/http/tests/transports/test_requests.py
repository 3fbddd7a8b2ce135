"""What requests look like on the wire; the same list for every transport."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import OK, always


def fields(request: bytes) -> dict[bytes, bytes]:
    lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    named = [line.partition(b": ")[::2] for line in lines]
    found = {name.lower(): value for name, value in named}
    assert len(found) == len(named)
    return found


async def test_a_request(serve: Any, client: Any) -> None:
    server = await serve(always(OK))
    await (await client(server)).send("GET", "/a%2Fb/c?d=e%20f&g", headers={"X-Own": "two words"})
    (request,) = server.requests
    assert request.startswith(b"GET /a%2Fb/c?d=e%20f&g HTTP/1.1\r\n")
    assert request.endswith(b"\r\n\r\n")
    found = fields(request)
    assert found.pop(b"accept", b"*/*") == b"*/*"
    found.pop(b"user-agent", None)
    assert found == {
        b"host": b"127.0.0.1:%d" % server.port,
        b"x-fixed": b"1",
        b"x-own": b"two words",
        b"accept-encoding": b"gzip, deflate",
    }


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("body", [b"", b"text", b"x" * 300_000])
async def test_a_request_with_a_body(method: str, body: bytes, serve: Any, client: Any) -> None:
    server = await serve(always(OK))
    await (await client(server)).send(method, body=body, headers={"Content-Type": "text/plain"})
    (request,) = server.requests
    assert request.partition(b"\r\n\r\n")[2] == body
    found = fields(request)
    assert found[b"content-length"] == b"%d" % len(body)
    assert found[b"content-type"] == b"text/plain"
    assert b"transfer-encoding" not in found
    assert b"expect" not in found


@pytest.mark.parametrize(
    ("method", "length"), [("GET", None), ("HEAD", None), ("POST", b"0"), ("PUT", b"0"), ("PATCH", b"0")]
)
async def test_a_request_without_a_body(method: str, length: bytes | None, serve: Any, client: Any) -> None:
    server = await serve(always(b"HTTP/1.1 204 No Content\r\n\r\n"))
    await (await client(server)).send(method)
    found = fields(server.requests[0])
    assert found.get(b"content-length") == length
    assert b"content-type" not in found
    assert b"transfer-encoding" not in found


async def test_other_codings_may_be_asked_for(serve: Any, client: Any) -> None:
    server = await serve(always(OK))
    await (await client(server)).send(accept_codings=False, headers={"Accept-Encoding": "identity"})
    assert fields(server.requests[0])[b"accept-encoding"] == b"identity"


@pytest.mark.parametrize("breaking", ["\r\nX-Evil: 1", "\n", "\r", "a\r\n\r\nGET / HTTP/1.1", "\0"])
async def test_nothing_breaks_out_of_its_place(breaking: str, serve: Any, client: Any) -> None:
    server = await serve(always(OK))
    to = await client(server)
    with pytest.raises(ValueError, match=r"\w"):
        await to.send(headers={"X-Own": f"a{breaking}b"})
    with pytest.raises(ValueError, match=r"\w"):
        await to.send(headers={f"X-Own{breaking}": "a"})
    assert server.requests == []
    assert await to.body() == b"ok"


@pytest.mark.parametrize("target", ["/a b", "/a\r\nX-Evil: 1", "/a HTTP/1.1\r\nHost: evil", "/\0"])
async def test_a_target_stays_in_its_line(target: str, serve: Any, client: Any, differs: Any) -> None:
    if " " in target:
        differs("aiohttp", "it sends what it is told is encoded")
    server = await serve(always(OK))
    to = await client(server)
    with pytest.raises(ValueError, match=r"\w"):
        await to.send(target=target)
    assert server.requests == []
