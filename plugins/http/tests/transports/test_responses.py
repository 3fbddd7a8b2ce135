"""Valid and malformed responses, the same table for every transport."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from typing import Any

import pytest

from adapter_host_http.transport.base import DisconnectedError, IncompleteResponseError, MalformedResponseError

from .conftest import OK, Peer, always_respond, let_loop_run

RAW = zlib.compressobj(wbits=-zlib.MAX_WBITS)
TEXT = b"twelve bytes"
DEFLATED_RAW = RAW.compress(TEXT) + RAW.flush()


@dataclass(frozen=True)
class Case:
    """A response, its expected result, and whether its connection can be reused."""

    response: bytes
    body: bytes = TEXT
    status: int = 200
    reused: bool = True
    method: str = "GET"
    ends: bool = False


def head(*lines: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join((b"HTTP/1.1 " + status, *lines, b"", b""))


def sized(*lines: bytes, body: bytes = TEXT, status: bytes = b"200 OK") -> bytes:
    return head(b"Content-Length: %d" % len(body), *lines, status=status) + body


CHUNKED = head(b"Transfer-Encoding: chunked")

RESPONSES = {
    "a length": Case(sized()),
    "a length of nothing": Case(sized(body=b""), b""),
    "a length with spaces around it": Case(head(b"Content-Length: \t 12 ") + TEXT),
    "one chunk": Case(CHUNKED + b"c\r\ntwelve bytes\r\n0\r\n\r\n"),
    "several chunks": Case(CHUNKED + b"6\r\ntwelve\r\n006\r\n bytes\r\n0\r\n\r\n"),
    "no chunk": Case(CHUNKED + b"0\r\n\r\n", b""),
    "chunks of hexadecimal sizes in both cases": Case(CHUNKED + b"C\r\ntwelve bytes\r\n0\r\n\r\n"),
    "chunks with extensions": Case(CHUNKED + b'c;a=b;c="d"\r\ntwelve bytes\r\n0;e\r\n\r\n'),
    "chunks with padded sizes": Case(CHUNKED + b"c  \r\ntwelve bytes\r\n0\r\n\r\n"),
    "a trailer": Case(CHUNKED + b"c\r\ntwelve bytes\r\n0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n"),
    "chunked in capitals": Case(head(b"Transfer-Encoding: CHUNKED") + b"c\r\ntwelve bytes\r\n0\r\n\r\n"),
    "until the connection closes": Case(head(b"X-A: b") + TEXT, reused=False, ends=True),
    "nothing until the connection closes": Case(head(b"X-A: b"), b"", reused=False, ends=True),
    "a connection that closes": Case(sized(b"Connection: close"), reused=False),
    "HTTP/1.0": Case(b"HTTP/1.0 200 OK\r\nContent-Length: 12\r\n\r\n" + TEXT, reused=False),
    "HTTP/1.0 that keeps alive": Case(
        b"HTTP/1.0 200 OK\r\nContent-Length: 12\r\nConnection: keep-alive\r\n\r\n" + TEXT
    ),
    "HTTP/1.0 until the connection closes": Case(b"HTTP/1.0 200 OK\r\n\r\n" + TEXT, reused=False, ends=True),
    "HEAD with a length": Case(head(b"Content-Length: 12"), b"", reused=False, method="HEAD"),
    "HEAD in chunks": Case(CHUNKED, b"", reused=False, method="HEAD"),
    "HEAD with nothing": Case(head(b"X-A: b"), b"", reused=False, method="HEAD"),
    "HEAD with a coding": Case(
        head(b"Content-Length: 12", b"Content-Encoding: gzip"), b"", reused=False, method="HEAD"
    ),
    "HEAD, closing": Case(head(b"Content-Length: 12", b"Connection: close"), b"", reused=False, method="HEAD"),
    "204": Case(head(status=b"204 No Content"), b"", 204),
    "204 with a length": Case(head(b"Content-Length: 12", status=b"204 No Content"), b"", 204, reused=False),
    "304": Case(head(status=b"304 Not Modified"), b"", 304),
    "304 with a length": Case(head(b"Content-Length: 12", status=b"304 Not Modified"), b"", 304, reused=False),
    "304 with a coding": Case(head(b"Content-Encoding: br", status=b"304 Not Modified"), b"", 304),
    "an error": Case(sized(status=b"503 Unavailable"), status=503),
    "an unknown status": Case(sized(status=b"599 What"), status=599),
    "no reason": Case(b"HTTP/1.1 200\r\nContent-Length: 12\r\n\r\n" + TEXT),
    "an empty reason": Case(sized(status=b"200 ")),
    "100 before it": Case(head(status=b"100 Continue") + sized()),
    "102 and 103 before it": Case(
        head(status=b"102 Processing") + head(b"Link: </a>; rel=preload", status=b"103 Early Hints") + sized()
    ),
    "an empty line before it": Case(b"\r\n" + sized()),
    "lines that end in LF": Case(b"HTTP/1.1 200 OK\nContent-Length: 12\n\n" + TEXT),
    "an empty header": Case(sized(b"X-Empty:", b"X-Blank:   ")),
    "a header that is not ASCII": Case(sized(b"X-Name: Vard\xc3\xb8 \xff")),
    "a hundred headers": Case(sized(*(b"X-%d: %d" % (number, number) for number in range(100)))),
    "a long header": Case(sized(b"X-Long: " + b"x" * 8000)),
    "an offered upgrade": Case(sized(b"Upgrade: h2c", b"Connection: upgrade, keep-alive")),
    "a second response after it": Case(sized() + OK, reused=False),
    "data after it": Case(sized() + b"\x00\x01", reused=False),
    "data after 204": Case(head(status=b"204 No Content") + TEXT, b"", 204, reused=False),
    "a body after HEAD": Case(sized(), b"", reused=False, method="HEAD"),
    "data after chunks": Case(CHUNKED + b"c\r\ntwelve bytes\r\n0\r\n\r\nmore", reused=False),
    "gzip": Case(sized(b"Content-Encoding: gzip", body=gzip.compress(TEXT))),
    "gzip in capitals": Case(sized(b"Content-Encoding: GZIP", body=gzip.compress(TEXT))),
    "gzip of nothing": Case(sized(b"Content-Encoding: gzip", body=gzip.compress(b"")), b""),
    "gzip of an empty body": Case(sized(b"Content-Encoding: gzip", body=b""), b""),
    "gzip in two members": Case(
        sized(b"Content-Encoding: gzip", body=gzip.compress(TEXT[:5]) + gzip.compress(TEXT[5:]))
    ),
    "gzip by its old name": Case(sized(b"Content-Encoding: x-gzip", body=gzip.compress(TEXT))),
    "gzip until the connection closes": Case(
        head(b"Content-Encoding: gzip") + gzip.compress(TEXT), reused=False, ends=True
    ),
    "deflate": Case(sized(b"Content-Encoding: deflate", body=zlib.compress(TEXT))),
    "deflate without its header": Case(sized(b"Content-Encoding: deflate", body=DEFLATED_RAW)),
    "no coding at all": Case(sized(b"Content-Encoding: identity")),
    "an empty coding": Case(sized(b"Content-Encoding:")),
}  # fmt: skip


# Known differences of aiohttp, some only with one way of sending.
_FAILS = "data after a response fails the response"
AIOHTTP_RESPONSES = {
    "a body after HEAD": (_FAILS, "whole"),
    "data after 204": (_FAILS, "whole"),
    "data after chunks": (_FAILS, "whole"),
    "data after it": (_FAILS, "whole"),
}


# The parser gets the same bytes from every event loop, and the parser of aiohttp is not ours.
FRAMINGS = {
    "a length",
    "several chunks",
    "until the connection closes",
    "a connection that closes",
    "HEAD with a length",
    "204",
    "100 before it",
    "a second response after it",
    "data after chunks",
    "gzip",
    "gzip until the connection closes",
}


@pytest.mark.smoke(uvloop=FRAMINGS, aiohttp=FRAMINGS | AIOHTTP_RESPONSES.keys())
@pytest.mark.parametrize("title", RESPONSES)
@pytest.mark.parametrize("sending", ["whole", "byte by byte"])
async def test_response(title: str, sending: str, serve: Any, connect: Any, known_difference: Any) -> None:
    case, whole = RESPONSES[title], sending == "whole"
    reason, only = AIOHTTP_RESPONSES.get(title, ("", None))
    if reason and only in (None, sending):
        known_difference("aiohttp", reason)

    async def handle(peer: Peer) -> None:
        if peer.number == 1:
            await peer.request()
            await (peer.send if whole else peer.drip)(case.response)
        if peer.number > 1 or not case.ends:
            await always_respond(OK)(peer)

    server = await serve(handle)
    client = await connect(server)
    response = await client.send(case.method)
    assert (response.status, response.body) == (case.status, case.body)
    assert server.connections == 1
    await let_loop_run(10)
    assert await client.body(seconds=1 if title in AIOHTTP_RESPONSES else 20) == b"ok"
    assert server.connections == (1 if case.reused else 2)


async def test_headers(serve: Any, connect: Any) -> None:
    lines = (b"Content-Type: text/plain; a=b", b"X-A: \t 1 2 \t", b"x-a: 3", b"X-Name: Vard\xc3\xb8", b"X-Empty:")
    response = await (await connect(await serve(always_respond(sized(*lines))))).send()
    assert response.media_type == response.headers["content-TYPE"] == "text/plain; a=b"
    assert response.headers.getall("X-A") == ["1 2", "3"]
    assert response.headers.getone("x-a") == response.headers["x-a"] == response.headers.get("X-a") == "1 2"
    assert (response.headers["X-Name"], response.headers["X-Empty"]) == ("Vardø", "")
    assert [(name.lower(), value) for name, value in response.headers.items()][1:4] == [
        ("content-type", "text/plain; a=b"),
        ("x-a", "1 2"),
        ("x-a", "3"),
    ]
    assert list(response.headers.values())[2:4] == ["1 2", "3"]
    assert [*response.headers] == [*response.headers.keys()]
    assert len(response.headers) == 6
    assert "X-NAME" in response.headers
    assert "X-None" not in response.headers
    assert response.headers.get("X-None") is None
    assert response.headers.getall("X-None", ()) == ()
    with pytest.raises(KeyError):
        response.headers["X-None"]


async def test_trailer_fields_are_ignored(serve: Any, connect: Any) -> None:
    response = CHUNKED + b"c\r\ntwelve bytes\r\n0\r\nX-Sum: 1\r\n\r\n"
    server = await serve(always_respond(response))
    client = await connect(server)
    for _ in range(3):
        assert "X-Sum" not in (await client.send()).headers
    assert server.connections == 1


MALFORMED = {
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\nContent-Length: 12\r\n\r\n" + TEXT,
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 12\r\n\r\n" + TEXT,
    "HTTP/2 frames": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
    "a status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 12\r\n\r\n" + TEXT,
    "a status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 12\r\n\r\n" + TEXT,
    "a status below 100": sized(status=b"099 What"),
    "a status above 599": sized(status=b"600 What"),
    "a switch of protocols": head(b"Upgrade: h2c", b"Connection: upgrade", status=b"101 Switching Protocols"),
    "a length and chunks": head(b"Content-Length: 12", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "chunks and a length": head(b"Transfer-Encoding: chunked", b"Content-Length: 12") + b"0\r\n\r\n",
    "two lengths": head(b"Content-Length: 12", b"Content-Length: 13") + TEXT,
    "a list of lengths": head(b"Content-Length: 12, 12") + TEXT,
    "a negative length": head(b"Content-Length: -12") + TEXT,
    "a length with a sign": head(b"Content-Length: +12") + TEXT,
    "a hexadecimal length": head(b"Content-Length: 0x0c") + TEXT,
    "an endless length": head(b"Content-Length: " + b"9" * 30) + TEXT,
    "a length with a space before the colon": head(b"Content-Length : 12") + TEXT,
    "gzip as a transfer coding": head(b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
    "a transfer coding after chunked": head(b"Transfer-Encoding: chunked, gzip") + TEXT,
    "a transfer coding that is not chunked": head(b"Transfer-Encoding: identity") + TEXT,
    "two transfer codings": head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "a name with a space": head(b"Content Length: 12") + TEXT,
    "a header without a colon": head(b"Content-Length: 12", b"X-A") + TEXT,
    "a header with NUL": head(b"Content-Length: 12", b"X-A: a\0b") + TEXT,
    "a header with CR": head(b"Content-Length: 12", b"X-A: a\rb") + TEXT,
    "a header in two lines": head(b"Content-Length: 12", b"X-A: a", b"  b") + TEXT,
    "a chunk's size that is no number": CHUNKED + b"twelve\r\n" + TEXT,
    "a negative chunk": CHUNKED + b"-c\r\ntwelve bytes\r\n0\r\n\r\n",
    "a chunk larger than 64 bits": CHUNKED + b"f" * 17 + b"\r\ntwelve bytes\r\n",
    "a chunk longer than its size": CHUNKED + b"6\r\ntwelve bytes\r\n0\r\n\r\n",
    "a head too large": sized(*(b"X-%d: " % number + b"x" * 4000 for number in range(20))),
    "too many headers": sized(*(b"X: y" for _ in range(4000))),
    "too many interim responses": head(b"X: " + b"x" * 4000, status=b"102 Processing") * 20 + sized(),
    "extensions larger than their chunks": CHUNKED + b"1;" + b"x" * 100_000 + b"\r\na\r\n0\r\n\r\n",
    "a trailer too large": CHUNKED + b"0\r\n" + b"X-A: %b\r\n" % (b"x" * 4000) * 20 + b"\r\n",
    "a coding that was not requested": sized(b"Content-Encoding: br"),
    "two codings": sized(b"Content-Encoding: gzip, gzip", body=gzip.compress(gzip.compress(TEXT))),
    "invalid gzip": sized(b"Content-Encoding: gzip"),
    "gzip that is cut short": sized(b"Content-Encoding: gzip", body=gzip.compress(TEXT)[:-3]),
    "gzip with a wrong sum": sized(b"Content-Encoding: gzip", body=gzip.compress(TEXT)[:-8] + b"\0" * 8),
    "gzip with data after it": sized(b"Content-Encoding: gzip", body=gzip.compress(TEXT) + b"more"),
    "invalid deflate": sized(b"Content-Encoding: deflate", body=b"\x78\x00\x00"),
    "deflate that is cut short": sized(b"Content-Encoding: deflate", body=zlib.compress(TEXT)[:-3]),
    "deflate with data after it": sized(b"Content-Encoding: deflate", body=zlib.compress(TEXT) + b"more"),
}
AIOHTTP_MALFORMED = {
    "a length with a space before the colon": "accepted",
    "gzip as a transfer coding": "the body is not decoded",
    "a transfer coding after chunked": "the body ends with the connection",
    "a transfer coding that is not chunked": "the body ends with the connection",
    "two transfer codings": "accepted",
    "a header in two lines": "accepted",
    "a head too large": "only single lines are limited",
    "too many interim responses": "only single responses are limited",
    "extensions larger than their chunks": "extensions are not limited",
    "a trailer too large": "only single lines are limited",
}


@pytest.mark.smoke(uvloop={"another protocol", "a length and chunks", "a head too large", "gzip that is cut short"})
@pytest.mark.parametrize("title", MALFORMED)
async def test_malformed_responses(title: str, serve: Any, connect: Any, known_difference: Any) -> None:
    if title in AIOHTTP_MALFORMED:
        known_difference("aiohttp", AIOHTTP_MALFORMED[title])

    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(MALFORMED[title])

    server = await serve(handle)
    client = await connect(server)
    with pytest.raises(MalformedResponseError):
        await client.send(seconds=5)
    assert server.connections == 1


EARLY_HINTS = head(b"Link: </a>", status=b"103 Early Hints")
CUT = {
    "a length": sized(b"Content-Type: text/plain"),
    "chunks": CHUNKED + b"6\r\ntwelve\r\n6;a=b\r\n bytes\r\n0\r\nX-Sum: 1\r\n\r\n",
    "gzip": sized(b"Content-Encoding: gzip", body=gzip.compress(TEXT)),
    "103 before it": EARLY_HINTS + sized(),
}


@pytest.mark.parametrize("title", CUT)
@pytest.mark.parametrize("end", ["closed", "reset"])
async def test_response_cut_off_at_any_byte(title: str, end: str, serve: Any, connect: Any) -> None:
    response = CUT[title]

    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(response[: peer.number - 1])
        await let_loop_run(3)
        if end == "reset":
            peer.reset()

    server = await serve(handle)
    client = await connect(server)
    for length in range(len(response)):
        has_head = b"\r\n\r\n" in response[:length].removeprefix(EARLY_HINTS)
        with pytest.raises(IncompleteResponseError if has_head else DisconnectedError) as caught:
            await client.send("POST")
        assert caught.value.sent, length
    assert server.connections == len(response)
    assert await client.body("POST") == TEXT
