"""Bodies that are read while they are sent, to an API that rejects the first request with 401."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict

from adapter_host_http.request.request import Request

CHALLENGE = {"WWW-Authenticate": 'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"'}
DIGEST = {"type": "digest", "username": "me", "password": "{{PASSWORD}}"}
CLIENT = {"id": "client", "secret": "{{PASSWORD}}"}


class Body:
    """A body in two pieces, which can be read once; `reads` counts the attempts."""

    def __init__(self) -> None:
        self.reads = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.reads += 1
        yield b"one"
        yield b"two"


async def reject(_: web.Request) -> web.Response:
    return web.Response(status=401, headers=CHALLENGE)


@pytest.fixture
async def token_endpoint() -> AsyncIterator[str]:
    issued: list[str] = []

    async def issue(_: web.Request) -> web.Response:
        issued.append(f"t{len(issued)}")
        return web.json_response({"access_token": issued[-1], "token_type": "bearer"})

    app = web.Application()
    app.router.add_post("/token", issue)
    async with TestServer(app) as server:
        yield str(server.make_url("/token"))


@pytest.mark.parametrize("transport", ["native", "aiohttp"])
@pytest.mark.parametrize("kind", ["digest", "oauth2"])
async def test_streamed_body_is_not_sent_again(
    start: Any, api: Any, token_endpoint: str, kind: str, transport: str
) -> None:
    """The second request would have an empty body."""
    api.reply = reject
    oauth2 = {"type": "oauth2", "tokenEndpoint": token_endpoint, "x-client": CLIENT}
    authentication = DIGEST if kind == "digest" else oauth2
    call = await start(authentication=authentication, secrets={"PASSWORD": "p"}, **{"x-transport": transport})
    body = Body()
    request = Request.from_headers("/things", CIMultiDict(), body, pass_through=True, accept_codings=False)
    result = await call.consumer._upstream.forward("POST", request, stream=False)
    assert result.status == 401
    assert [seen.body for seen in api.requests] == [b"onetwo"]
    assert body.reads == 1


@pytest.mark.parametrize("kind", ["digest", "oauth2"])
async def test_forwarded_body_is_buffered_and_sent_again(start: Any, api: Any, token_endpoint: str, kind: str) -> None:
    """The complete body is read first, so that the second request has it, too."""
    api.reply = reject
    oauth2 = {"type": "oauth2", "tokenEndpoint": token_endpoint, "x-client": CLIENT}
    call = await start(authentication=DIGEST if kind == "digest" else oauth2, secrets={"PASSWORD": "p"})
    body = Body()
    result = await call.consumer.forwarding().call({"method": "POST", "path": "/things", "body": body})
    assert result.status == 401
    assert [seen.body for seen in api.requests] == [b"onetwo", b"onetwo"]
    assert body.reads == 1
