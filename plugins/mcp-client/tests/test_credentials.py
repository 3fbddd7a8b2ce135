"""Credentials that only HTTP can carry: digests, and API keys in the query."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from adapter_host import Settings, UpstreamError, discover

Serve = Callable[..., AbstractAsyncContextManager[Any]]
Check = Callable[[web.Request], web.Response | None]

SECRETS = {"PASSWORD": "s3cr/t +&"}


@asynccontextmanager
async def gate(station: Any, check: Check) -> AsyncIterator[str]:
    """Serve a reverse proxy of a station that responds itself if `check` returns a response."""

    async def handle(request: web.Request) -> web.Response:
        if (refusal := check(request)) is not None:
            return refusal
        headers = {name: request.headers[name] for name in ("Content-Type", "Accept") if name in request.headers}
        session_id = {name: text for name, text in request.headers.items() if name.lower().startswith("mcp-")}
        async with ClientSession() as session:
            data = await request.read()
            async with session.request(
                request.method, station.url, headers=headers | session_id, data=data
            ) as response:
                kept = {k: v for k, v in response.headers.items() if k.lower() in ("content-type", "mcp-session-id")}
                return web.Response(status=response.status, body=await response.read(), headers=kept)

    app = web.Application()
    app.router.add_route("*", "/mcp", handle)
    async with TestServer(app) as server:
        yield str(server.make_url("/mcp"))


async def tools(url: str, authentication: dict[str, Any]) -> Any:
    entry = {"type": "mcp", "namespace": "api", "url": url, "authentication": authentication}
    binds = [{"namespace": "env", "keys": {"PASSWORD": "PASSWORD"}}]
    source = {"naftiko": "1.0.0-alpha2", "binds": binds, "capability": {"consumes": [entry]}}
    return (await discover(source, settings=Settings(environment=SECRETS)))["api"]["tools"]


def digest(*parts: str) -> str:
    return hashlib.sha256(":".join(parts).encode()).hexdigest()


@pytest.mark.parametrize(("password", "accepted"), [(SECRETS["PASSWORD"], True), ("another", False)])
async def test_digest(serve: Serve, password: str, accepted: bool) -> None:
    counts: list[str] = []

    def check(request: web.Request) -> web.Response | None:
        sent = dict(re.findall(r'(\w+)="?([^",]*)"?', request.headers.get("Authorization", "").partition(" ")[2]))
        if sent:
            account, signed = digest("me", "station", password), digest(request.method, sent["uri"])
            expected = digest(account, "n", sent["nc"], sent["cnonce"], "auth", signed)
            if (sent["uri"], sent["response"]) == (request.raw_path, expected):
                counts.append(sent["nc"])
                return None
        challenge = 'Digest realm="station", nonce="n", qop="auth", algorithm=SHA-256'
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})

    authentication = {"type": "digest", "username": "me", "password": "{{env.PASSWORD}}"}
    async with serve() as station, gate(station, check) as url:
        if accepted:
            assert "say" in await tools(url, authentication)
        else:
            with pytest.raises(UpstreamError):
                await tools(url, authentication)
    assert len(set(counts)) == len(counts)
    assert bool(counts) is accepted


async def test_api_key_in_the_query(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "httpx2")
    queries: list[str] = []

    def check(request: web.Request) -> web.Response | None:
        queries.append(request.raw_path.partition("?")[2])
        return None if request.query.get("key") == SECRETS["PASSWORD"] else web.Response(status=401)

    authentication = {"type": "apikey", "key": "key", "value": "{{env.PASSWORD}}", "placement": "query"}
    async with serve() as station, gate(station, check) as url:
        assert "say" in await tools(f"{url}?page=a%2Fb", authentication)
    assert set(queries) == {"page=a%2Fb&key=s3cr%2Ft%20%2B%26"}
    assert not [each for each in caplog.records if "s3cr" in each.getMessage() and each.name != "aiohttp.access"]
