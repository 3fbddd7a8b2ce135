"""Reuse, limits and failures of connections, for every transport."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest

from adapter_host_http.transport.base import (
    ConnectDeadlineError,
    ConnectError,
    ConnectTimeoutError,
    DisconnectedError,
    TransportError,
)

from .conftest import OK, Peer, Server, always_respond, let_loop_run

LARGE = b"x" * (64 * 2**20)


class ManualServer:
    """A server that responds when a test permits it."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self.permits = asyncio.Semaphore(0)

    async def __call__(self, peer: Peer) -> None:
        while True:
            self.arrived.put_nowait((await peer.request()).split()[1])
            await self.permits.acquire()
            await peer.send(OK)


async def test_connection_is_reused(serve: Any, connect: Any) -> None:
    server = await serve(always_respond(OK))
    client = await connect(server)
    for _ in range(5):
        assert await client.body() == b"ok"
    assert (server.connections, len(server.requests)) == (1, 5)


async def test_concurrent_requests_use_separate_connections(serve: Any, connect: Any) -> None:
    manual = ManualServer()
    server = await serve(manual)
    client = await connect(server)
    calls = [asyncio.create_task(client.body()) for _ in range(5)]
    for _ in calls:
        await manual.arrived.get()
    assert server.connections == 5
    for _ in calls:
        manual.permits.release()
    assert await asyncio.gather(*calls) == [b"ok"] * 5


async def test_most_recently_used_connection_is_reused_first(serve: Any, connect: Any, known_difference: Any) -> None:
    known_difference("aiohttp", "it reuses the connection that is idle longest")
    used: list[int] = []
    opened = asyncio.Barrier(2)

    async def handle(peer: Peer) -> None:
        await peer.request()
        await opened.wait()
        while True:
            used.append(peer.number)
            await peer.send(OK)
            await peer.request()

    client = await connect(await serve(handle))
    await asyncio.gather(client.body(), client.body())
    await client.body()
    await client.body()
    assert used[2] == used[3]


async def test_connection_limit_is_first_come_first_served(serve: Any, connect: Any) -> None:
    manual = ManualServer()
    server = await serve(manual)
    client = await connect(server, max_connections=2)
    calls = []
    for number in range(6):
        calls.append(asyncio.create_task(client.body(target=f"/{number}")))
        await let_loop_run(2)
    seen = [await manual.arrived.get(), await manual.arrived.get()]
    await let_loop_run(20)
    assert manual.arrived.empty()
    for number in range(2, 6):
        manual.permits.release()
        seen.append(await manual.arrived.get())
        assert seen[-1] == b"/%d" % number
    manual.permits.release()
    manual.permits.release()
    assert await asyncio.gather(*calls) == [b"ok"] * 6
    assert server.connections == 2


async def test_cancelled_waiter_is_skipped(serve: Any, connect: Any) -> None:
    manual = ManualServer()
    server = await serve(manual)
    client = await connect(server, max_connections=1)
    calls = [asyncio.create_task(client.body(target=f"/{number}")) for number in range(4)]
    await manual.arrived.get()
    calls[1].cancel()
    calls[2].cancel()
    await asyncio.wait(calls[1:3])
    manual.permits.release()
    assert await manual.arrived.get() == b"/3"
    manual.permits.release()
    assert await asyncio.gather(*calls[::3]) == [b"ok"] * 2
    assert server.connections == 1


async def test_cancelled_waiter_returns_its_connection(
    name: str, serve: Any, connect: Any, known_difference: Any
) -> None:
    known_difference("aiohttp", "if cancelled at one moment, no waiter gets the connection")
    # The call of aiohttp never ends.
    seconds = 0.2 if name == "aiohttp" else 20
    for moment in range(16):
        manual = ManualServer()
        client = await connect(await serve(manual), max_connections=1)
        calls = [asyncio.create_task(client.body()) for _ in range(3)]
        await manual.arrived.get()
        for _ in calls:
            manual.permits.release()
        await let_loop_run(moment)
        calls[1].cancel()
        assert await calls[0] == b"ok"
        assert await asyncio.wait_for(calls[2], seconds) == b"ok"


async def test_wait_for_a_connection_has_the_deadline_of_the_call(serve: Any, connect: Any) -> None:
    manual = ManualServer()
    client = await connect(await serve(manual), max_connections=1)
    first = asyncio.create_task(client.body())
    await manual.arrived.get()
    with pytest.raises(ConnectDeadlineError) as caught:
        await client.body(seconds=0.05)
    assert not caught.value.sent
    manual.permits.release()
    assert await first == b"ok"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
@pytest.mark.parametrize("end", ["closed", "reset"])
async def test_stale_connection_is_replaced(method: str, end: str, serve: Any, connect: Any) -> None:
    async def handle(peer: Peer) -> None:
        if peer.number > 1:
            await always_respond(b"HTTP/1.1 204 No Content\r\n\r\n")(peer)
        await peer.request()
        await peer.send(OK)
        await peer.request()
        if end == "reset":
            peer.reset()

    server = await serve(handle)
    client = await connect(server)
    await client.body()
    assert (await client.send(method, body=b"text" if method == "PUT" else None)).status == 204
    assert (server.connections, len(server.requests)) == (2, 3)


async def test_connection_that_closes_after_an_empty_line_is_stale(serve: Any, connect: Any) -> None:
    async def handle(peer: Peer) -> None:
        if peer.number > 1:
            await always_respond(OK)(peer)
        await peer.request()
        await peer.send(b"HTTP/1.1 204 Some reason\r\nX-A: b\r\n\n")
        await peer.request()
        await peer.send(b"\n")

    server = await serve(handle)
    client = await connect(server)
    assert (await client.send()).status == 204
    assert await client.body() == b"ok"
    assert server.connections == 2


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_non_idempotent_request_is_not_retried(method: str, serve: Any, connect: Any) -> None:
    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()

    server = await serve(handle)
    client = await connect(server)
    await client.body()
    with pytest.raises(DisconnectedError):
        await client.send(method, body=b"text")
    assert len(server.requests) == 2


async def test_request_with_a_partial_response_is_not_retried(serve: Any, connect: Any) -> None:
    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        await peer.send(b"H")

    server = await serve(handle)
    client = await connect(server)
    await client.body()
    with pytest.raises(DisconnectedError):
        await client.send()
    assert len(server.requests) == 2


async def test_new_connection_that_closes_is_not_retried(serve: Any, connect: Any) -> None:
    async def handle(peer: Peer) -> None:
        await peer.request()

    server = await serve(handle)
    client = await connect(server)
    with pytest.raises(DisconnectedError):
        await client.send()
    assert len(server.requests) == 1


async def test_stale_connection_that_cannot_be_replaced(serve: Any, connect: Any) -> None:
    """The request was sent once, though there was no connection for its repetition."""
    listener: list[asyncio.Server] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")
        listener[0].close()
        writer.close()

    listener.append(await asyncio.start_server(connected, "127.0.0.1", 0))
    client = await connect(Server(port=listener[0].sockets[0].getsockname()[1]))
    assert await client.body() == b"ok"
    with pytest.raises(ConnectError) as caught:
        await client.send()
    assert caught.value.sent


async def test_deadline_before_the_response(serve: Any, connect: Any) -> None:
    client = await connect(await serve(ManualServer()))
    with pytest.raises(TimeoutError):
        await client.send(seconds=0.05)


@pytest.mark.parametrize("end", ["closed", "reset"])
async def test_connection_that_closes_immediately(end: str, serve: Any, connect: Any) -> None:
    async def handle(peer: Peer) -> None:
        if peer.number <= 20 and end == "reset":
            peer.reset()
        elif peer.number > 20:
            await always_respond(OK)(peer)

    server = await serve(handle)
    client = await connect(server, max_connections=2)
    while server.connections < 20:
        calls = [asyncio.create_task(client.send("POST", body=b"text")) for _ in range(4)]
        for result in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(result, TransportError) or server.connections > 20
    assert await client.body() == b"ok"


async def test_call_cancelled_while_connecting_frees_its_slot(serve: Any, connect: Any) -> None:
    for moment in range(30):
        server = await serve(always_respond(OK))
        client = await connect(server, max_connections=1)
        call = asyncio.create_task(client.send())
        await let_loop_run(moment)
        call.cancel()
        await asyncio.wait([call])
        assert await asyncio.gather(*(client.body() for _ in range(3))) == [b"ok"] * 3
        assert server.connections <= 2


async def test_closed_idle_connection_is_not_used(serve: Any, connect: Any) -> None:
    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)

    server = await serve(handle)
    client = await connect(server)
    for number in range(1, 4):
        assert await client.body("POST", body=b"text") == b"ok"
        await let_loop_run(20)
        assert server.connections == number


@pytest.mark.parametrize("data", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"\x00", b"\r\n"])
async def test_unsolicited_data_is_not_a_response(data: bytes, serve: Any, connect: Any) -> None:
    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        if peer.number == 1:
            # In a packet of its own.
            await let_loop_run(5)
            await peer.send(data)
        await always_respond(OK)(peer)

    client = await connect(await serve(handle))
    await client.body("POST")
    await let_loop_run(20)
    assert await client.body("POST") == b"ok"


@pytest.mark.parametrize("data", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"\r\n", b""])
async def test_connection_with_unread_data_is_not_reused(data: bytes, connect: Any) -> None:
    """Data, or the end of the connection, that the event loop has had no time to read."""
    arrived, end = threading.Event(), threading.Event()
    requests: list[int] = []

    def serve(listener: socket.socket) -> None:
        for number in range(2):
            with listener.accept()[0] as peer:
                requests.extend([number] * bool(peer.recv(2**16)))
                peer.sendall(OK)
                if number == 0:
                    end.wait(20)
                    peer.sendall(data)
                    if not data:
                        peer.shutdown(socket.SHUT_WR)
                    arrived.set()
                    with suppress(ConnectionError):
                        requests.extend([number] * bool(peer.recv(2**16)))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        client = await connect(Server(port=listener.getsockname()[1]))
        assert await client.body("POST") == b"ok"
        end.set()
        # In the event loop's thread: it reads nothing meanwhile.
        arrived.wait(20)
        assert await client.body("POST") == b"ok"
        await asyncio.to_thread(thread.join)
    assert requests == [0, 1]


@pytest.mark.parametrize("data", [b"{}", b"\0", b"HTTX/1.1 200 OK\r\n\r\n"])
async def test_other_data_before_a_response_is_stale(data: bytes, serve: Any, connect: Any) -> None:
    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        if peer.number == 1:
            await peer.request()
            await peer.send(data + OK)
        await always_respond(OK)(peer)

    server = await serve(handle)
    client = await connect(server)
    assert [await client.body() for _ in range(3)] == [b"ok"] * 3
    assert (server.connections, len(server.requests)) == (2, 4)
    another = await connect(await serve(handle))
    await another.body("POST")
    with pytest.raises(TransportError):
        await another.body("POST")


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nConte", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nev"])
async def test_cancelled_call_closes_its_connection(sent: bytes, serve: Any, connect: Any) -> None:
    arrived, ended = asyncio.Event(), asyncio.Event()

    async def handle(peer: Peer) -> None:
        await peer.request()
        if peer.number > 1:
            await peer.send(OK)
            await always_respond(OK)(peer)
        await peer.send(sent)
        await let_loop_run(5)
        arrived.set()
        await peer.ended()
        ended.set()

    server = await serve(handle)
    client = await connect(server, max_connections=1)
    call = asyncio.create_task(client.body())
    await arrived.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.wait_for(ended.wait(), 10)
    server.requests.clear()
    second = asyncio.create_task(client.body())
    third = asyncio.create_task(client.body())
    assert await asyncio.gather(second, third)
    assert server.connections == 2


async def test_call_cancelled_as_its_response_arrives(serve: Any, connect: Any) -> None:
    server = await serve(always_respond(OK))
    client = await connect(server)
    for count in range(12):
        call = asyncio.create_task(client.body())
        await let_loop_run(count)
        call.cancel()
        await asyncio.wait([call])
        assert await client.body() == b"ok"


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nConte", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nev"])
async def test_late_response(sent: bytes, serve: Any, connect: Any) -> None:
    ended = asyncio.Event()

    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(sent)
        await peer.ended()
        ended.set()

    client = await connect(await serve(handle))
    with pytest.raises(TimeoutError):
        await client.body(seconds=0.05)
    await asyncio.wait_for(ended.wait(), 10)


# Deadlines of aiohttp are asyncio's timeouts, whose order is not ours to test.
@pytest.mark.smoke(aiohttp=())
async def test_deadlines_in_any_order(serve: Any, connect: Any) -> None:
    manual = ManualServer()
    client = await connect(await serve(manual))
    # Open the connections first: a deadline while connecting takes other turns of the event loop.
    opening = [asyncio.create_task(client.body()) for _ in range(5)]
    for _ in opening:
        await manual.arrived.get()
        manual.permits.release()
    await asyncio.gather(*opening)
    ended: list[float] = []

    async def call(seconds: float) -> None:
        with pytest.raises(TimeoutError):
            await client.body(seconds=seconds)
        ended.append(seconds)

    await asyncio.gather(*map(call, (0.3, 0.1, 0.2, 0.05, 0.25)))
    assert ended == sorted(ended)


async def test_early_response_to_a_large_request(serve: Any, connect: Any) -> None:
    ended = asyncio.Event()

    async def handle(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        if peer.number == 1:
            await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
            await peer.ended()
            ended.set()
        await peer.send(OK)

    server = await serve(handle)
    client = await connect(server)
    response = await client.send("POST", body=LARGE)
    assert (response.status, response.body) == (413, b"no")
    await asyncio.wait_for(ended.wait(), 10)
    assert await client.body() == b"ok"
    assert server.connections == 2


async def test_connection_refused(serve: Any, connect: Any) -> None:
    server = await serve(always_respond(OK))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server.port = listener.getsockname()[1]
        client = await connect(server)
        with pytest.raises(ConnectError, match=f"127.0.0.1:{server.port}") as caught:
            await client.send(target="/?key=private")
        assert not caught.value.sent
    assert "private" not in str(caught.value)


async def test_unknown_host_name(serve: Any, connect: Any) -> None:
    server = await serve(always_respond(OK))
    client = await connect(server, host="nobody.invalid")
    with pytest.raises(ConnectError, match=r"nobody\.invalid"):
        await client.send()


@pytest.fixture
async def full_backlog() -> Any:
    """Yield the port of a listener that accepts no connections."""
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_connect_timeout(full_backlog: int, serve: Any, connect: Any) -> None:
    server = await serve(always_respond(OK))
    server.port = full_backlog
    client = await connect(server, connect_timeout=0.05, max_connections=1)
    with pytest.raises(ConnectTimeoutError):
        await client.send()
    with pytest.raises(ConnectTimeoutError):
        await client.send()


async def test_deadline_while_connecting(full_backlog: int, serve: Any, connect: Any) -> None:
    server = await serve(always_respond(OK))
    server.port = full_backlog
    client = await connect(server)
    with pytest.raises(ConnectDeadlineError):
        await client.send(seconds=0.05)


async def test_call_cancelled_during_a_slow_connect_frees_its_slot(full_backlog: int, serve: Any, connect: Any) -> None:
    server = await serve(always_respond(OK))
    port, server.port = server.port, full_backlog
    client = await connect(server, max_connections=1)
    call = asyncio.create_task(client.send())
    await let_loop_run(10)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    with pytest.raises(ConnectDeadlineError):
        await client.send(seconds=0.05)
    assert port


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_next_address_is_tried(host: str, serve: Any, connect: Any, monkeypatch: Any) -> None:
    try:
        server = await serve(always_respond(OK), host=host)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    loop = asyncio.get_running_loop()
    if not isinstance(loop, asyncio.BaseEventLoop):
        pytest.skip("the resolver of this loop cannot be replaced")
    result = loop.getaddrinfo

    async def resolve_both(name: Any, port: Any, **kwargs: Any) -> Any:
        assert name == "both.example"
        return [address for host in ("::1", "127.0.0.1") for address in await result(host, port, **kwargs)]

    monkeypatch.setattr(loop, "getaddrinfo", resolve_both)
    client = await connect(server, host="both.example")
    assert await client.body() == b"ok"


async def test_ipv6_address(serve: Any, connect: Any) -> None:
    try:
        server = await serve(always_respond(OK), host="::1")
    except OSError:
        pytest.skip("this machine has no ::1")
    assert await (await connect(server)).body() == b"ok"
    assert f"Host: [::1]:{server.port}\r\n".encode() in server.requests[0]


async def test_close_fails_calls_in_progress(serve: Any, connect: Any, known_difference: Any) -> None:
    known_difference("aiohttp", "it cancels waiting calls")
    manual = ManualServer()
    client = await connect(await serve(manual), max_connections=1)
    calls = [asyncio.create_task(client.send()), asyncio.create_task(client.send())]
    await manual.arrived.get()
    await client.transport.close()
    for call in calls:
        with pytest.raises(TransportError):
            await call
    with pytest.raises(TransportError):
        await client.send()
    await client.transport.close()


async def test_transport_can_be_reopened(serve: Any, connect: Any) -> None:
    client = await connect(await serve(always_respond(OK)))
    assert await client.body() == b"ok"
    await client.transport.close()
    await client.transport.open()
    assert await client.body() == b"ok"
