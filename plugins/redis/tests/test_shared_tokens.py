"""Tests of OAuth 2.0 tokens that hosts share, with the server there and away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web
from redis.asyncio import Redis

import adapter_host_http
from adapter_host import Host, Plugins
from adapter_host.testing import FakePlugin, running

from .conftest import KEY, OTHER_KEY, Server, serving, stored

Start = Callable[..., Awaitable[Host]]


class Upstream:
    """An API, and the authorization server that issues the tokens for it."""

    def __init__(self) -> None:
        self.url = ""
        self.issued: list[str] = []
        self.used: list[str] = []
        self.rejected: set[str] = set()
        self.expires_in = 3600.0

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            await request.read()
            self.issued.append(f"token-{len(self.issued) + 1}")
            # Other requests may arrive meanwhile.
            await asyncio.sleep(0)
            return web.json_response({"access_token": self.issued[-1], "expires_in": self.expires_in})
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.used.append(token)
        return web.json_response({}, status=401 if token in self.rejected else 200)


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    async with serving(upstream.serve) as upstream.url:
        yield upstream


@pytest.fixture
async def start(upstream: Upstream, prefix: str) -> AsyncIterator[Start]:
    """Start hosts that share a server and a prefix."""
    async with AsyncExitStack() as stack:

        async def start(server: Server, key: str = KEY, secret: str = "s3cret", **settings: Any) -> Host:
            authentication = {
                "type": "oauth2",
                "tokenEndpoint": f"{upstream.url}/token",
                "x-client": {"id": "clerk", "secret": secret},
            }
            operation = {"name": "read", "method": "GET"}
            consumed = {
                "type": "http", "namespace": "things", "baseUri": upstream.url, "authentication": authentication,
                "resources": [{"path": "/things", "operations": [operation]}],
            }  # fmt: skip
            exposed = {"type": "fake", "namespace": "front", "operations": [{"name": "read", "call": "things.read"}]}
            plugins = {"fake": FakePlugin(), "redis": server.plugin, "http": adapter_host_http}
            served = await stack.enter_async_context(
                running(
                    {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [consumed], "exposes": [exposed]}},
                    plugins=Plugins(plugins),
                    state=server.url,
                    state_prefix=prefix,
                    environment={"ADAPTER_HOST_STATE_KEY": key} if key else {},
                    **settings,
                )
            )
            return served.host

        yield start


async def call(*hosts: Host) -> None:
    await asyncio.gather(*(host.call("front.read", {}) for host in hosts))


async def test_one_request_for_all_hosts(upstream: Upstream, start: Start, shared_server: Server) -> None:
    hosts = [await start(shared_server) for _ in range(3)]
    await call(*(hosts * 10))
    assert upstream.issued == ["token-1"]
    assert upstream.used == ["token-1"] * 30
    await call(await start(shared_server))
    assert upstream.issued == ["token-1"]


async def test_nothing_in_the_store_is_readable(
    upstream: Upstream, start: Start, shared_server: Server, prefix: str
) -> None:
    await call(await start(shared_server))
    ((key, value),) = (await stored(shared_server, prefix)).items()
    assert not any(secret in key + value for secret in (b"token-1", b"clerk", b"s3cret"))


async def test_rejected_token_is_replaced_once(upstream: Upstream, start: Start, shared_server: Server) -> None:
    hosts = [await start(shared_server), await start(shared_server)]
    await call(*hosts)
    upstream.rejected.add("token-1")
    await call(*(hosts * 5))
    assert upstream.issued == ["token-1", "token-2"]
    assert upstream.used.count("token-2") == 10


@pytest.mark.parametrize(
    "other", [{"key": ""}, {"key": OTHER_KEY}, {"secret": "another"}], ids=["no key", "key", "secret"]
)
async def test_hosts_that_do_not_share(
    upstream: Upstream, start: Start, shared_server: Server, other: dict[str, str]
) -> None:
    await call(await start(shared_server), await start(shared_server, **other))
    assert len(upstream.issued) == 2


async def test_new_key_opens_what_the_old_one_has_sealed(
    upstream: Upstream, start: Start, shared_server: Server
) -> None:
    await call(await start(shared_server), await start(shared_server, f"{KEY}, {OTHER_KEY}"))
    assert upstream.issued == ["token-1"]


async def test_token_without_a_key_is_not_stored(start: Start, shared_server: Server, prefix: str) -> None:
    await call(await start(shared_server, ""))
    assert await stored(shared_server, prefix) == {}


async def test_changed_value_is_replaced(upstream: Upstream, start: Start, shared_server: Server, prefix: str) -> None:
    await call(await start(shared_server))
    ((key, value),) = (await stored(shared_server, prefix)).items()
    async with Redis(port=shared_server.port) as client:
        await client.set(key, value[:-1] + bytes([value[-1] ^ 1]))
        await call(await start(shared_server))
        await client.set(key, b"")
        await call(await start(shared_server))
    assert upstream.issued == ["token-1", "token-2", "token-3"]
    await call(await start(shared_server))
    assert upstream.used[-1] == "token-3"


async def test_replica_that_dies_during_its_request(
    upstream: Upstream, start: Start, shared_server: Server, prefix: str
) -> None:
    first = await start(shared_server)
    await call(first)
    ((key, _),) = (await stored(shared_server, prefix)).items()
    name = key.decode().partition(f"{prefix}:")[2]
    await first.state.delete(name)
    token = await first.state.acquire(name, 3600)
    await call(await start(shared_server, total_timeout=0.4))
    assert upstream.issued == ["token-1", "token-2"]
    assert await first.state.release(name, token or 0)


@pytest.mark.parametrize("how", ["pause", "stop"])
async def test_each_host_has_its_own_while_the_server_is_away(
    upstream: Upstream, start: Start, server: Server, how: str
) -> None:
    hosts = [await start(server), await start(server)]
    getattr(server, how)()
    await call(*(hosts * 3))
    assert len(upstream.issued) == 2
    await call(*hosts)
    assert len(upstream.issued) == 2
