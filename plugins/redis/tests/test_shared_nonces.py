"""Tests of digest authentication by two hosts behind a balancer, with the server there and away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import cycle
from typing import Any

import aiohttp
import pytest
from aiohttp import web

import adapter_host_rest
from adapter_host import Plugins
from adapter_host.testing import FakePlugin, running

from .conftest import KEY, PREFIXES, Server, serving

DOCUMENT = {
    "naftiko": "1.0.0-alpha2",
    "capability": {
        "consumes": [{"type": "fake", "namespace": "things", "operations": [{"name": "read", "result": "fine"}]}],
        "exposes": [
            {
                "type": "rest",
                "namespace": "front",
                "port": 1,
                "authentication": {"type": "digest", "username": "ann", "password": "s3cret"},
                "resources": [{"path": "/things", "operations": [{"method": "GET", "call": "things.read"}]}],
            }
        ],
    },
}


class Balancer:
    """Sends each request to the next replica."""

    def __init__(self) -> None:
        self.url = ""
        self.replicas: list[str] = []
        self.received: list[str] = []
        self._next = cycle(range(2))
        self.session = aiohttp.ClientSession()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.received.append(request.headers.get("Authorization", ""))
        status, challenges = await self.send(next(self._next), self.received[-1])
        response = web.Response(status=status)
        for each in challenges:
            response.headers.add("WWW-Authenticate", each)
        return response

    async def send(self, replica: int, authorization: str) -> tuple[int, list[str]]:
        """Return the status and the challenges of a replica."""
        url, headers = f"{self.replicas[replica]}/things", {"Authorization": authorization} if authorization else {}
        async with self.session.get(url, headers=headers) as response:
            return response.status, response.headers.getall("WWW-Authenticate", [])


Start = Callable[..., Awaitable[Balancer]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start a balancer in front of two hosts."""
    async with AsyncExitStack() as stack:

        async def start(server: Server, environment: dict[str, str]) -> Balancer:
            balancer = Balancer()
            stack.push_async_callback(balancer.session.close)
            prefix = next(PREFIXES)
            plugins = {"fake": FakePlugin(), "redis": server.plugin, "rest": adapter_host_rest}
            settings: dict[str, Any] = {"state": server.url, "state_prefix": prefix, "environment": environment}
            for _ in range(2):
                served = await stack.enter_async_context(running(DOCUMENT, plugins=Plugins(plugins), **settings))
                balancer.replicas.append(served.url("front"))
            balancer.url = f"{await stack.enter_async_context(serving(balancer.serve))}/things"
            return balancer

        yield start


async def statuses(url: str, requests: int) -> list[int]:
    """Return the statuses of the requests of one client."""
    digest = aiohttp.DigestAuthMiddleware("ann", "s3cret")
    found = []
    async with aiohttp.ClientSession(middlewares=[digest]) as session:
        for _ in range(requests):
            async with session.get(url) as response:
                found.append(response.status)
    return found


async def test_client_of_two_replicas(start: Start, shared_server: Server) -> None:
    balancer = await start(shared_server, {"ADAPTER_HOST_STATE_KEY": KEY})
    assert await statuses(balancer.url, 5) == [200] * 5
    # One challenge, and no second one.
    assert len(balancer.received) == 6
    for replayed in balancer.received[1:]:
        for replica in range(2):
            status, challenges = await balancer.send(replica, replayed)
            assert status == 401
            assert all(each.endswith("stale=true") for each in challenges)


async def test_without_a_key_each_replica_accepts_its_own(start: Start, shared_server: Server) -> None:
    balancer = await start(shared_server, {})
    assert await statuses(balancer.url, 1) == [401]
    balancer.replicas[1] = balancer.replicas[0]
    assert await statuses(balancer.url, 3) == [200] * 3


@pytest.mark.parametrize("how", ["pause", "stop"])
async def test_server_that_is_away(start: Start, server: Server, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A busy machine may be slow: the replicas must not try the server again in this test.
    monkeypatch.setattr("adapter_host.auth.shared_nonces.AWAY_FOR", 3600.0)
    balancer = await start(server, {"ADAPTER_HOST_STATE_KEY": KEY})
    assert await statuses(balancer.url, 2) == [200, 200]
    used = balancer.received[-2:]
    getattr(server, how)()
    refused = await asyncio.gather(*(balancer.send(replica, each) for replica in range(2) for each in used))
    assert [status for status, _ in refused] == [401] * 4
    # Each replica now makes nonces of its own: a client that stays with one of them is served.
    assert await statuses(f"{balancer.replicas[0]}/things", 3) == [200] * 3
    assert await statuses(f"{balancer.replicas[1]}/things", 3) == [200] * 3
