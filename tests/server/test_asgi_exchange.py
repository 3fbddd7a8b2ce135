"""Requests of ASGI servers: pressure of slow clients and handlers, disconnects and limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from adapter_host import Settings
from adapter_host.server.asgi.exchange import READ_AHEAD, Exchange
from adapter_host.server.connection.requests import HostRequest

CHUNK = 64 * 1024
Handle = Callable[[HostRequest], Awaitable[web.StreamResponse]]


class Client:
    """A client that has sent `chunks`, and reads a message of the response for each ticket."""

    def __init__(self, *chunks: bytes, more: bool = False) -> None:
        self._chunks = list(chunks)
        self._more = more
        self.received = 0
        self.sent: list[Any] = []
        self.left = asyncio.Event()
        self.tickets: asyncio.Semaphore | None = None

    async def receive(self) -> Any:
        if self._chunks:
            self.received += 1
            body = self._chunks.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(self._chunks) or self._more}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if self.tickets is not None:
            await self.tickets.acquire()
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def is_complete(self) -> bool:
        return bool(self.sent) and self.sent[-1].get("more_body") is False


def scope(**more: Any) -> dict[str, Any]:
    headers = [(b"content-length", b"1")] if more.get("method") == "POST" else []
    return {"type": "http", "method": "GET", "path": "/", "headers": headers, **more}


async def run(reader: Client, handle: Handle, *, settings: Settings | None = None, **more: Any) -> None:
    await Exchange(scope(**more), reader.receive, reader.send, settings or Settings()).run(handle)


async def test_body_is_read_as_the_handler_reads() -> None:
    client = Client(*[bytes(CHUNK)] * 100)
    ahead = []

    async def handle(request: HostRequest) -> web.StreamResponse:
        read = 0
        while chunk := await request.content.readany():
            ahead.append(client.received * CHUNK - read - len(chunk))
            read += len(chunk)
        return web.Response(text=str(read))

    await run(client, handle, method="POST")
    assert client.body == str(100 * CHUNK).encode()
    assert max(ahead) <= 2 * READ_AHEAD + CHUNK


async def test_response_is_made_as_the_client_reads() -> None:
    client = Client(b"")
    client.tickets = asyncio.Semaphore(0)
    ahead = []

    async def chunks() -> AsyncIterator[bytes]:
        for number in range(100):
            ahead.append(number - len(client.sent))
            assert client.tickets is not None
            client.tickets.release()
            yield bytes(10)

    async def handle(request: HostRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        assert client.tickets is not None
        client.tickets.release()
        await response.prepare(request)
        async for chunk in chunks():
            await response.write(chunk)
        client.tickets.release()
        return response

    await run(client, handle)
    assert (len(client.body), client.is_complete) == (1000, True)
    assert max(ahead) <= 0


async def test_client_that_does_not_read() -> None:
    client = Client(b"")
    client.tickets = asyncio.Semaphore(1)
    ended = asyncio.Event()

    async def handle(request: HostRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            await response.write(b"x")
        except ConnectionError:
            ended.set()
            raise
        return response

    await run(client, handle, settings=Settings(send_timeout=0.01))
    assert ended.is_set()
    assert [message["type"] for message in client.sent] == ["http.response.start"]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_disconnect_cancels_the_handler(method: str) -> None:
    client = Client(b"x", more=method == "POST")
    cancelled = asyncio.Event()

    async def handle(request: HostRequest) -> web.StreamResponse:
        client.left.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return web.Response()

    await run(client, handle, method=method)
    assert cancelled.is_set()
    assert client.sent == []


async def test_disconnect_while_the_body_is_read() -> None:
    client = Client(b"x", more=True)

    async def handle(request: HostRequest) -> web.StreamResponse:
        client.left.set()
        await request.read()
        return web.Response(text="read")

    await run(client, handle, method="POST")
    assert client.sent == []


async def test_cancelled_server_cancels_the_handler() -> None:
    client = Client(b"")
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def handle(request: HostRequest) -> web.StreamResponse:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return web.Response()

    serving = asyncio.create_task(run(client, handle))
    await entered.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert cancelled.is_set()


async def test_errors_of_the_server_end_the_request() -> None:
    async def receive() -> Any:
        raise RuntimeError("the server is broken")

    async def handle(request: HostRequest) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    client = Client()
    with pytest.raises(RuntimeError, match="the server is broken"):
        await Exchange(scope(), receive, client.send, Settings()).run(handle)


async def test_body_that_nobody_reads() -> None:
    client = Client(*[bytes(CHUNK)] * 100)

    async def handle(request: HostRequest) -> web.StreamResponse:
        return web.Response(text="done")

    await run(client, handle, method="POST")
    assert (client.body, client.is_complete) == (b"done", True)
    assert client.received <= 4


async def test_aborted_response() -> None:
    client = Client(b"")

    async def handle(request: HostRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x")
        assert request.transport is not None
        request.transport.abort()
        return response

    await run(client, handle)
    assert (client.body, client.is_complete) == (b"x", False)


@pytest.mark.parametrize(
    ("headers", "chunks", "version", "expected"),
    [
        ([], [b""], "1.1", False),
        ([(b"content-length", b"0")], [b""], "1.1", False),
        ([(b"content-length", b"3")], [b"abc"], "1.1", True),
        ([(b"transfer-encoding", b"chunked")], [b"ab", b"c"], "1.1", True),
        ([], [b""], "2", False),
        ([], [b"", b"abc"], "2", True),
        ([], [b"abc"], "3", True),
    ],
    ids=str,
)
async def test_whether_there_is_a_body(
    headers: list[tuple[bytes, bytes]], chunks: list[bytes], version: str, expected: bool
) -> None:
    async def handle(request: HostRequest) -> web.StreamResponse:
        return web.json_response([request.body_exists, (await request.read()).decode()])

    client = Client(*chunks)
    await run(client, handle, headers=headers, http_version=version)
    assert client.body == web.json_response([expected, "abc" if expected else ""]).body


async def test_disconnect_before_the_body() -> None:
    client = Client()
    client.left.set()

    async def handle(request: HostRequest) -> web.StreamResponse:
        raise AssertionError("called")

    await run(client, handle, http_version="2")
    assert client.sent == []


@pytest.mark.parametrize(("version", "expected"), [("1.1", [(b"connection", b"close")]), ("2", [])])
async def test_connection_is_closed_on_request(version: str, expected: list[Any]) -> None:
    async def handle(request: HostRequest) -> web.StreamResponse:
        response = web.Response(headers={"Keep-Alive": "timeout=5", "Transfer-Encoding": "chunked"})
        response.force_close()
        return response

    client = Client(b"")
    await run(client, handle, http_version=version)
    headers = client.sent[0]["headers"]
    kept = [(name, value) for name, value in headers if not name.startswith((b"content", b"x-request-id"))]
    assert kept == expected


async def test_requests_have_what_aiohttp_gives() -> None:
    async def handle(request: HostRequest) -> web.StreamResponse:
        seen = [request.remote, request.scheme, request.host, request.method, request.raw_path, request.secure]
        return web.json_response([*seen, request.query["q"], request.get_extra_info("sockname")])

    client = Client(b"")
    head: dict[str, Any] = {
        "client": ("192.0.2.7", 4711),
        "server": ("192.0.2.1", 443),
        "scheme": "https",
        "path": "/a b/ä",
        "raw_path": b"/a%20b/%C3%A4",
        "query_string": b"q=%2F",
        "headers": [(b"host", b"api.example")],
    }
    await run(client, handle, **head)
    expected = ["192.0.2.7", "https", "api.example", "GET", "/a%20b/%C3%A4?q=%2F", True, "/", ["192.0.2.1", 443]]
    assert client.body == web.json_response(expected).body
