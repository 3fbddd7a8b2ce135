"""Connections: shared, kept, given up; the same list for every transport."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from typing import Any

import pytest

from adapter_host_http.transport.base import ConnectTimeoutError, TransportError

from .conftest import OK, Peer, always, turns

LARGE = b"x" * (64 * 2**20)


class Gate:
    """A server that answers once it is told to."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self.answers = asyncio.Semaphore(0)

    async def __call__(self, peer: Peer) -> None:
        while True:
            self.arrived.put_nowait((await peer.request()).split()[1])
            await self.answers.acquire()
            await peer.send(OK)


async def test_one_connection_serves_one_request_after_the_other(serve: Any, client: Any) -> None:
    server = await serve(always(OK))
    to = await client(server)
    for _ in range(5):
        assert await to.body() == b"ok"
    assert (server.connections, len(server.requests)) == (1, 5)


async def test_several_at_once_have_each_its_own(serve: Any, client: Any) -> None:
    gate = Gate()
    server = await serve(gate)
    to = await client(server)
    calls = [asyncio.create_task(to.body()) for _ in range(5)]
    for _ in calls:
        await gate.arrived.get()
    assert server.connections == 5
    for _ in calls:
        gate.answers.release()
    assert await asyncio.gather(*calls) == [b"ok"] * 5


async def test_the_one_used_last_is_used_next(serve: Any, client: Any, differs: Any) -> None:
    differs("aiohttp", "it takes the one that has been kept longest")
    used: list[int] = []
    opened = asyncio.Barrier(2)

    async def handle(peer: Peer) -> None:
        await peer.request()
        await opened.wait()
        while True:
            used.append(peer.number)
            await peer.send(OK)
            await peer.request()

    to = await client(await serve(handle))
    await asyncio.gather(to.body(), to.body())
    await to.body()
    await to.body()
    assert used[2] == used[3]


async def test_no_more_than_so_many_at_once_and_in_the_order_of_asking(serve: Any, client: Any) -> None:
    gate = Gate()
    server = await serve(gate)
    to = await client(server, connections=2)
    calls = []
    for number in range(6):
        calls.append(asyncio.create_task(to.body(target=f"/{number}")))
        await turns(2)
    seen = [await gate.arrived.get(), await gate.arrived.get()]
    await turns(20)
    assert gate.arrived.empty()
    for number in range(2, 6):
        gate.answers.release()
        seen.append(await gate.arrived.get())
        assert seen[-1] == b"/%d" % number
    gate.answers.release()
    gate.answers.release()
    assert await asyncio.gather(*calls) == [b"ok"] * 6
    assert server.connections == 2


async def test_who_stops_waiting_for_a_connection_is_passed_over(serve: Any, client: Any) -> None:
    gate = Gate()
    server = await serve(gate)
    to = await client(server, connections=1)
    calls = [asyncio.create_task(to.body(target=f"/{number}")) for number in range(4)]
    await gate.arrived.get()
    calls[1].cancel()
    calls[2].cancel()
    await asyncio.wait(calls[1:3])
    gate.answers.release()
    assert await gate.arrived.get() == b"/3"
    gate.answers.release()
    assert await asyncio.gather(*calls[::3]) == [b"ok"] * 2
    assert server.connections == 1


async def test_who_is_given_a_connection_and_stops_passes_it_on(serve: Any, client: Any, differs: Any) -> None:
    differs("aiohttp", "at one moment it keeps the connection from all that wait")
    for moment in range(16):
        gate = Gate()
        to = await client(await serve(gate), connections=1)
        calls = [asyncio.create_task(to.body()) for _ in range(3)]
        await gate.arrived.get()
        for _ in calls:
            gate.answers.release()
        await turns(moment)
        calls[1].cancel()
        assert await calls[0] == b"ok"
        assert await asyncio.wait_for(calls[2], 2) == b"ok"


async def test_the_wait_for_a_connection_has_the_deadline_of_the_call(serve: Any, client: Any) -> None:
    gate = Gate()
    to = await client(await serve(gate), connections=1)
    first = asyncio.create_task(to.body())
    await gate.arrived.get()
    with pytest.raises(TimeoutError):
        await to.body(seconds=0.05)
    gate.answers.release()
    assert await first == b"ok"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
@pytest.mark.parametrize("end", ["closed", "reset"])
async def test_a_kept_connection_that_ends_is_replaced(method: str, end: str, serve: Any, client: Any) -> None:
    async def handle(peer: Peer) -> None:
        if peer.number > 1:
            await always(b"HTTP/1.1 204 No Content\r\n\r\n")(peer)
        await peer.request()
        await peer.send(OK)
        await peer.request()
        if end == "reset":
            peer.reset()

    server = await serve(handle)
    to = await client(server)
    await to.body()
    assert (await to.send(method, body=b"text" if method == "PUT" else None)).status == 204
    assert (server.connections, len(server.requests)) == (2, 3)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_what_may_not_be_repeated_is_not(method: str, serve: Any, client: Any) -> None:
    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()

    server = await serve(handle)
    to = await client(server)
    await to.body()
    with pytest.raises(TransportError):
        await to.send(method, body=b"text")
    assert len(server.requests) == 2


async def test_what_has_been_answered_in_part_is_not_repeated(serve: Any, client: Any, differs: Any) -> None:
    differs("aiohttp", "it tries once more whatever has come")

    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        await peer.send(b"H")

    server = await serve(handle)
    to = await client(server)
    await to.body()
    with pytest.raises(TransportError):
        await to.send()
    assert len(server.requests) == 2


async def test_a_fresh_connection_that_ends_is_not_replaced(serve: Any, client: Any, differs: Any) -> None:
    differs("aiohttp", "it tries once more on any connection")

    async def handle(peer: Peer) -> None:
        await peer.request()

    server = await serve(handle)
    to = await client(server)
    with pytest.raises(TransportError):
        await to.send()
    assert len(server.requests) == 1


@pytest.mark.parametrize("end", ["closed", "reset"])
async def test_a_connection_that_ends_at_once(end: str, serve: Any, client: Any) -> None:
    async def handle(peer: Peer) -> None:
        if peer.number <= 20 and end == "reset":
            peer.reset()
        elif peer.number > 20:
            await always(OK)(peer)

    server = await serve(handle)
    to = await client(server, connections=2)
    while server.connections < 20:
        calls = [asyncio.create_task(to.send("POST", body=b"text")) for _ in range(4)]
        for found in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(found, TransportError) or server.connections > 20
    assert await to.body() == b"ok"


async def test_a_call_that_is_given_up_at_any_moment_of_connecting_leaves_its_place(serve: Any, client: Any) -> None:
    for moment in range(30):
        server = await serve(always(OK))
        to = await client(server, connections=1)
        call = asyncio.create_task(to.send())
        await turns(moment)
        call.cancel()
        await asyncio.wait([call])
        assert await asyncio.gather(*(to.body() for _ in range(3))) == [b"ok"] * 3
        assert server.connections <= 2


async def test_a_connection_that_ended_while_it_was_kept_is_not_used(serve: Any, client: Any) -> None:
    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)

    server = await serve(handle)
    to = await client(server)
    for number in range(1, 4):
        assert await to.body("POST", body=b"text") == b"ok"
        await turns(20)
        assert server.connections == number


@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"\x00", b"\r\n"])
async def test_what_was_not_asked_for_is_the_answer_to_nothing(
    said: bytes, serve: Any, client: Any, differs: Any
) -> None:
    if said == b"\x00":
        differs("aiohttp", "it takes it for the answer to the next request")

    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        if peer.number == 1:
            await peer.send(said)
        await always(OK)(peer)

    to = await client(await serve(handle))
    await to.body("POST")
    await turns(20)
    assert await to.body("POST") == b"ok"


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nConte", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nev"])
async def test_a_call_that_is_given_up_ends_its_connection(sent: bytes, serve: Any, client: Any) -> None:
    arrived, ended = asyncio.Event(), asyncio.Event()

    async def handle(peer: Peer) -> None:
        await peer.request()
        if peer.number > 1:
            await peer.send(OK)
            await always(OK)(peer)
        await peer.send(sent)
        await turns(5)
        arrived.set()
        await peer.ended()
        ended.set()

    server = await serve(handle)
    to = await client(server, connections=1)
    call = asyncio.create_task(to.body())
    await arrived.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.wait_for(ended.wait(), 10)
    server.requests.clear()
    second = asyncio.create_task(to.body())
    third = asyncio.create_task(to.body())
    assert await asyncio.gather(second, third)
    assert server.connections == 2


async def test_a_call_that_is_given_up_as_its_answer_comes_keeps_the_connection(serve: Any, client: Any) -> None:
    server = await serve(always(OK))
    to = await client(server)
    for count in range(12):
        call = asyncio.create_task(to.body())
        await turns(count)
        call.cancel()
        await asyncio.wait([call])
        assert await to.body() == b"ok"


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nConte", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nev"])
async def test_an_answer_that_is_late(sent: bytes, serve: Any, client: Any) -> None:
    ended = asyncio.Event()

    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(sent)
        await peer.ended()
        ended.set()

    to = await client(await serve(handle))
    with pytest.raises(TimeoutError):
        await to.body(seconds=0.05)
    await asyncio.wait_for(ended.wait(), 10)


async def test_deadlines_in_any_order(serve: Any, client: Any) -> None:
    gate = Gate()
    to = await client(await serve(gate))
    ended: list[float] = []

    async def call(seconds: float) -> None:
        with pytest.raises(TimeoutError):
            await to.body(seconds=seconds)
        ended.append(seconds)

    await asyncio.gather(*map(call, (0.3, 0.1, 0.2, 0.05, 0.25)))
    assert ended == sorted(ended)


async def test_an_answer_before_all_of_the_request_is_sent(serve: Any, client: Any) -> None:
    ended = asyncio.Event()

    async def handle(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        if peer.number == 1:
            await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
            await peer.ended()
            ended.set()
        await peer.send(OK)

    server = await serve(handle)
    to = await client(server)
    answer = await to.send("POST", body=LARGE)
    assert (answer.status, answer.body) == (413, b"no")
    await asyncio.wait_for(ended.wait(), 10)
    assert await to.body() == b"ok"
    assert server.connections == 2


async def test_nobody_there(serve: Any, client: Any) -> None:
    server = await serve(always(OK))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        server.port = taken.getsockname()[1]
        to = await client(server)
        with pytest.raises(TransportError, match=f"127.0.0.1:{server.port}") as caught:
            await to.send(target="/?key=private")
    assert "private" not in str(caught.value)


async def test_a_name_that_nobody_has(serve: Any, client: Any) -> None:
    server = await serve(always(OK))
    to = await client(server, host="nobody.invalid")
    with pytest.raises(TransportError, match=r"nobody\.invalid"):
        await to.send()


@pytest.fixture
async def deaf() -> Any:
    """Yield the port of a listener that takes no connections."""
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_no_connection_in_time(deaf: int, serve: Any, client: Any) -> None:
    server = await serve(always(OK))
    server.port = deaf
    to = await client(server, connect=0.05, connections=1)
    with pytest.raises(ConnectTimeoutError):
        await to.send()
    with pytest.raises(ConnectTimeoutError):
        await to.send()


async def test_no_connection_before_the_deadline(deaf: int, serve: Any, client: Any) -> None:
    server = await serve(always(OK))
    server.port = deaf
    to = await client(server)
    with pytest.raises(TimeoutError):
        await to.send(seconds=0.05)


async def test_a_call_that_is_given_up_while_it_connects_leaves_its_place(deaf: int, serve: Any, client: Any) -> None:
    server = await serve(always(OK))
    port, server.port = server.port, deaf
    to = await client(server, connections=1)
    call = asyncio.create_task(to.send())
    await turns(10)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    with pytest.raises(TimeoutError):
        await to.send(seconds=0.05)
    assert port


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_another_address_is_tried(host: str, serve: Any, client: Any, monkeypatch: Any) -> None:
    try:
        server = await serve(always(OK), host=host)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    loop = asyncio.get_running_loop()
    if not isinstance(loop, asyncio.BaseEventLoop):
        pytest.skip("the resolver of this loop cannot be replaced")
    found = loop.getaddrinfo

    async def both(name: Any, port: Any, **wanted: Any) -> Any:
        assert name == "both.example"
        return [each for one in ("::1", "127.0.0.1") for each in await found(one, port, **wanted)]

    monkeypatch.setattr(loop, "getaddrinfo", both)
    to = await client(server, host="both.example")
    assert await to.body() == b"ok"


async def test_an_address_in_brackets(serve: Any, client: Any) -> None:
    try:
        server = await serve(always(OK), host="::1")
    except OSError:
        pytest.skip("this machine has no ::1")
    assert await (await client(server)).body() == b"ok"
    assert f"Host: [::1]:{server.port}\r\n".encode() in server.requests[0]


async def test_closing_ends_what_is_in_progress(serve: Any, client: Any, differs: Any) -> None:
    differs("aiohttp", "it cancels those that wait")
    gate = Gate()
    to = await client(await serve(gate), connections=1)
    calls = [asyncio.create_task(to.send()), asyncio.create_task(to.send())]
    await gate.arrived.get()
    await to.transport.close()
    for call in calls:
        with pytest.raises(TransportError):
            await call
    with pytest.raises(TransportError):
        await to.send()
    await to.transport.close()


async def test_it_can_be_opened_again(serve: Any, client: Any) -> None:
    to = await client(await serve(always(OK)))
    assert await to.body() == b"ok"
    await to.transport.close()
    await to.transport.open()
    assert await to.body() == b"ok"
