"""Authentication of clients, and towards the upstream."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import aiohttp
import pytest

from .conftest import Serve
from .served import API


def document(consumed: dict[str, Any] | None = None, exposed: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a document with one operation."""
    resources = [{"name": "r", "path": "/r", "operations": [{"name": "get", "method": "GET"}]}]
    upstream: dict[str, Any] = {"type": "http", "namespace": "api", "baseUri": API, "resources": resources}
    offered = [{"path": "/", "operations": [{"method": "GET", "call": "api.get"}]}]
    exposer: dict[str, Any] = {"type": "rest", "namespace": "web", "port": 0, "resources": offered}
    if consumed:
        upstream["authentication"] = consumed
    if exposed:
        exposer["authentication"] = exposed
    return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [upstream], "exposes": [exposer]}}


def basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.mark.shows("Authentication")
@pytest.mark.shows("AuthBasic", "type", "username", "password")
@pytest.mark.shows("AuthBearer", "type", "token")
@pytest.mark.shows("AuthApiKey", "type", "key", "value", "placement")
@pytest.mark.shows("ConsumesHttp", "authentication")
async def test_upstream_authentication(serve: Serve) -> None:
    async def credentials(authentication: dict[str, Any] | None) -> dict[str, Any]:
        async with serve(document(consumed=authentication)) as served:
            return await served.sent("GET /")

    async def header(authentication: dict[str, Any] | None, name: str = "authorization") -> str | None:
        headers: str | None = (await credentials(authentication))["headers"].get(name)
        return headers

    assert await header(None) is None
    assert await header({"type": "bearer", "token": "t-1"}) == "Bearer t-1"
    assert await header({"type": "bearer", "token": "t-2"}) == "Bearer t-2"
    assert await header({"type": "basic", "username": "ann", "password": "b"}) == basic("ann", "b")
    assert await header({"type": "basic", "username": "bob", "password": "c"}) == basic("bob", "c")
    key = {"type": "apikey", "key": "X-Key", "value": "k-1"}
    assert await header(key, "x-key") == "k-1"
    assert await header({**key, "key": "X-Other", "value": "k-2"}, "x-other") == "k-2"
    in_query = await credentials({**key, "placement": "query"})
    assert (in_query["query"], "x-key" in in_query["headers"]) == ({"X-Key": ["k-1"]}, False)


@pytest.mark.shows("AuthBasic", "type", "username", "password")
@pytest.mark.shows("AuthBearer", "type", "token")
@pytest.mark.shows("AuthApiKey", "type", "key", "value", "placement")
@pytest.mark.shows("ExposesRest", "authentication")
@pytest.mark.parametrize(
    ("authentication", "right", "wrong"),
    [
        ({"type": "bearer", "token": "t"}, {"Authorization": "Bearer t"}, {"Authorization": "Bearer x"}),
        (
            {"type": "basic", "username": "ann", "password": "b"},
            {"Authorization": basic("ann", "b")},
            {"Authorization": basic("bob", "b")},
        ),
        (
            {"type": "basic", "username": "ann", "password": "c"},
            {"Authorization": basic("ann", "c")},
            {"Authorization": basic("ann", "b")},
        ),
        ({"type": "apikey", "key": "X-Key", "value": "k"}, {"X-Key": "k"}, {"X-Key": "x"}),
        ({"type": "apikey", "key": "X-Other", "value": "k"}, {"X-Other": "k"}, {"X-Key": "k"}),
    ],
    ids=lambda value: value.get("type"),
)
async def test_client_authentication(
    serve: Serve, authentication: dict[str, Any], right: dict[str, str], wrong: dict[str, str]
) -> None:
    async with serve(document(exposed=authentication)) as served:
        assert (await served.rest("GET /", headers=right)).status == 200
        assert (await served.rest("GET /", headers=wrong)).status == 401
        assert (await served.rest("GET /")).status == 401


@pytest.mark.shows("AuthApiKey", "placement")
async def test_api_key_in_query(serve: Serve) -> None:
    key = {"type": "apikey", "key": "key", "value": "k", "placement": "query"}
    async with serve(document(exposed=key)) as served:
        assert (await served.rest("GET /?key=k")).status == 200
        assert (await served.rest("GET /", headers={"key": "k"})).status == 401


@pytest.mark.shows("AuthDigest", "type", "username", "password")
async def test_digest_authentication(serve: Serve) -> None:
    async def status(user: str, password: str) -> int:
        client = aiohttp.ClientSession(middlewares=[aiohttp.DigestAuthMiddleware(user, password)])
        async with client as session, session.get(served.running.url("web")) as response:
            return response.status

    async with serve(document(exposed={"type": "digest", "username": "ann", "password": "b"})) as served:
        assert await status("ann", "b") == 200
        assert (await status("bob", "b"), await status("ann", "c")) == (401, 401)
