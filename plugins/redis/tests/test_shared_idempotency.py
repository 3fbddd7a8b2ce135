"""Tests of calls with an idempotency key through two hosts, with the server there and away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web
from redis.asyncio import Redis

import adapter_host_http
import adapter_host_resilience
from adapter_host import Host, OperationError, Plugins, Principal, ProblemsError, StoreUnavailableError, UpstreamError
from adapter_host.testing import FakePlugin, running

from .conftest import KEY, Server, serving


class Orders:
    """An API that counts its orders by the key of the request, and can hold its responses."""

    def __init__(self) -> None:
        self.url = ""
        self.orders: list[str | None] = []
        self.arrived = asyncio.Event()
        self.held: asyncio.Event | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.orders.append(request.headers.get("Idempotency-Key"))
        self.arrived.set()
        number = len(self.orders)
        if self.held is not None:
            await self.held.wait()
        return web.json_response({"order": f"number-{number}"})


@pytest.fixture
async def orders() -> AsyncIterator[Orders]:
    orders = Orders()
    async with serving(orders.serve) as orders.url:
        yield orders


Start = Callable[..., Awaitable[Host]]


@pytest.fixture
async def start(orders: Orders, prefix: str) -> AsyncIterator[Start]:
    """Start hosts that share a server and a prefix."""
    async with AsyncExitStack() as stack:

        async def start(server: Server, consumed: Any = None, environment: Any = None) -> Host:
            place = {"name": "place", "method": "POST", **({"x-resilience": consumed} if consumed else {})}
            api = {
                "type": "http", "namespace": "orders", "baseUri": orders.url,
                "resources": [{"path": "/orders", "operations": [place]}],
            }  # fmt: skip
            operation = {"name": "place", "call": "orders.place", "x-resilience": {"idempotency": {}}}
            exposed = {"type": "fake", "namespace": "shop", "operations": [operation]}
            plugins = {
                "fake": FakePlugin(), "http": adapter_host_http, "redis": server.plugin,
                "resilience": adapter_host_resilience,
            }  # fmt: skip
            served = await stack.enter_async_context(
                running(
                    {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [api], "exposes": [exposed]}},
                    plugins=Plugins(plugins),
                    state=server.url,
                    state_prefix=prefix,
                    environment={"ADAPTER_HOST_STATE_KEY": KEY} if environment is None else environment,
                )
            )
            return served.host

        yield start


async def place(host: Host, key: str | None = "first-order") -> Any:
    return (await host.call("shop.place", {}, principal=Principal("ada-lovelace"), idempotency_key=key)).data


async def test_one_order_for_all_hosts(orders: Orders, start: Start, shared_server: Server) -> None:
    hosts = [await start(shared_server), await start(shared_server)]
    results = await asyncio.gather(*(place(host) for host in hosts * 20), return_exceptions=True)
    assert all(each == {"order": "number-1"} or getattr(each, "status", 0) == 409 for each in results)
    assert [await place(host) for host in hosts] == [{"order": "number-1"}] * 2
    assert len(orders.orders) == 1


async def test_nothing_in_the_store_is_readable(start: Start, shared_server: Server, prefix: str) -> None:
    await place(await start(shared_server))
    async with Redis(port=shared_server.port) as client:
        (key,) = await client.keys(f"*:{prefix}:*")
        value: Any = await client.get(key)
        assert not any(secret in key + value for secret in (b"number-1", b"first-order", b"lovelace", b"bnVtYmVyLTE"))
        await client.set(key, value[:-1] + bytes([value[-1] ^ 1]))
    with pytest.raises(UpstreamError, match="is unknown"):
        await place(await start(shared_server))


@pytest.mark.parametrize("recognized", [False, True])
async def test_replica_that_dies_during_a_call(
    orders: Orders, start: Start, shared_server: Server, recognized: bool, prefix: str
) -> None:
    consumed = {"idempotencyKey": "Idempotency-Key"} if recognized else None
    dead, alive = await start(shared_server, consumed), await start(shared_server, consumed)
    orders.held = asyncio.Event()
    first = asyncio.create_task(place(dead))
    await orders.arrived.wait()
    with pytest.raises(OperationError, match="in progress"):
        await place(alive)
    # As after the time of its lease.
    async with Redis(port=shared_server.port) as client:
        (lease,) = await client.keys(f"lease:{prefix}:*")
        await client.delete(lease)
    held, orders.held = orders.held, None
    if recognized:
        assert await place(alive) == {"order": "number-2"}
        assert len(orders.orders) == 2
        assert len({*orders.orders}) == 1
    else:
        with pytest.raises(UpstreamError, match="is unknown"):
            await place(alive)
    # It was only slow: its response is kept, unless there is a newer one.
    held.set()
    assert await first == {"order": "number-1"}
    assert await place(alive) == {"order": "number-2" if recognized else "number-1"}


async def test_responses_are_not_shared_without_a_key(start: Start, shared_server: Server) -> None:
    with pytest.raises(ProblemsError, match="keeps responses in the state store, sealed; set ADAPTER_HOST_STATE_KEY"):
        await start(shared_server, environment={})


@pytest.mark.parametrize("how", ["pause", "stop"])
async def test_server_that_is_away(orders: Orders, start: Start, server: Server, how: str) -> None:
    host = await start(server)
    getattr(server, how)()
    with pytest.raises(StoreUnavailableError):
        await place(host)
    assert orders.orders == []
    assert await place(host, None) == {"order": "number-1"}
