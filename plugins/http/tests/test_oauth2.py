"""OAuth 2.0 client credentials, against an authorization server that records requests."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64decode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

import orjson
import pytest
from aiohttp import web
from syrupy.assertion import SnapshotAssertion
from yarl import URL

from adapter_host import (
    UpstreamError,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)

SECRETS = {"ID": "cli:ent", "SECRET": "s3/c&t +é"}
CLIENT = {"id": "{{ID}}", "secret": "{{env.SECRET}}"}


@dataclass
class Issuer:
    """An authorization server with configurable responses."""

    url: str = ""
    token_requests: list[dict[str, str]] = field(default_factory=list)
    clients: list[tuple[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    token_response: dict[str, Any] = field(default_factory=lambda: {"token_type": "bearer", "expires_in": 3600})
    reply: dict[str, Any] | None = None
    """Arguments of another response; built for each request, as a response serves one request."""
    described_at: str = "/.well-known/oauth-authorization-server"
    description: dict[str, Any] = field(default_factory=dict)
    hold: asyncio.Event | None = None
    request_received: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, request: web.Request) -> web.Response:
        self.paths.append(request.path)
        if request.method == "GET":
            reported = request.path == self.described_at
            metadata = {"issuer": self.url, "token_endpoint": f"{self.url}/token", **self.description}
            return web.json_response(metadata) if reported else web.Response(status=404)
        form = {name: str(value) for name, value in (await request.post()).items()}
        kind, _, pair = request.headers.get("Authorization", "").partition(" ")
        user, _, password = b64decode(pair).decode().partition(":")
        posted = form.pop("client_id", ""), form.pop("client_secret", "")
        self.clients.append((unquote_plus(user), unquote_plus(password)) if kind == "Basic" else posted)
        self.token_requests.append(form)
        self.request_received.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.reply is not None:
            return web.Response(**self.reply)
        return web.json_response({"access_token": f"t{len(self.token_requests)}", **self.token_response})


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", issuer.serve)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    issuer.url = f"http://{host}:{port}"
    yield issuer
    await runner.cleanup()


@pytest.fixture
def start_oauth2(start: Any, issuer: Issuer) -> Any:
    async def start_oauth2(settings: dict[str, Any] | None = None, **keys: Any) -> Any:
        declared = {"type": "oauth2", "tokenEndpoint": f"{issuer.url}/token", "x-client": CLIENT, **keys}
        return await start(authentication=declared, secrets=SECRETS, settings=settings)

    return start_oauth2


def tokens(api: Any) -> list[str]:
    return [seen.headers.get("Authorization") for seen in api.requests]


@pytest.mark.shows("AuthOAuth2", "type", "tokenEndpoint", "resource", "audience", "scopes")
async def test_token_is_requested_once(start_oauth2: Any, api: Any, issuer: Issuer) -> None:
    call = await start_oauth2(resource="https://api.example.org/", audience="ships", scopes=["read", "write:all"])
    assert issuer.token_requests == []
    await call()
    await call()
    assert tokens(api) == ["Bearer t1", "Bearer t1"]
    expected = {"scope": "read write:all", "resource": "https://api.example.org/", "audience": "ships"}
    assert issuer.token_requests == [{"grant_type": "client_credentials", **expected}]
    assert issuer.clients == [(SECRETS["ID"], SECRETS["SECRET"])]


async def test_secret_in_the_form(start_oauth2: Any, issuer: Issuer) -> None:
    await (await start_oauth2(**{"x-client": {**CLIENT, "authentication": "post"}}))()
    assert issuer.clients == [(SECRETS["ID"], SECRETS["SECRET"])]
    assert issuer.token_requests == [{"grant_type": "client_credentials"}]


async def test_default_client_credentials(start: Any, issuer: Issuer) -> None:
    declared = {"type": "oauth2", "tokenEndpoint": f"{issuer.url}/token"}
    await (await start(authentication=declared, secrets={"CLIENT_ID": "a", "CLIENT_SECRET": "b"}))()
    assert issuer.clients == [("a", "b")]


@pytest.mark.parametrize("life", [3600, 0])
async def test_concurrent_calls_share_one_token_request(start_oauth2: Any, api: Any, issuer: Issuer, life: int) -> None:
    issuer.token_response["expires_in"] = life
    call = await start_oauth2()
    if life == 0:
        await call()
    issuer.hold, before = asyncio.Event(), len(issuer.token_requests)
    issuer.request_received.clear()
    calls = [asyncio.create_task(call()) for _ in range(20)]
    await issuer.request_received.wait()
    calls[0].cancel()
    issuer.hold.set()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [{"ok": True}] * 19
    assert len(issuer.token_requests) == before + 1
    assert set(tokens(api)[before:]) == {f"Bearer t{before + 1}"}


async def test_rejected_token_is_replaced_once(start_oauth2: Any, api: Any, issuer: Issuer) -> None:
    async def reply(request: web.Request) -> web.Response:
        good = request.headers["Authorization"] == "Bearer t2"
        return web.json_response({}, status=200 if good else 401)

    api.reply = reply
    call = await start_oauth2()
    await call()
    await call()
    assert tokens(api) == ["Bearer t1", "Bearer t2", "Bearer t2"]


async def test_calls_rejected_together_share_the_next_token(start_oauth2: Any, api: Any, issuer: Issuer) -> None:
    arrived: list[None] = []
    all_here = asyncio.Event()

    async def reply(request: web.Request) -> web.Response:
        if request.headers["Authorization"] != "Bearer t1":
            return web.json_response({})
        arrived.append(None)
        if len(arrived) == 10:
            all_here.set()
        await all_here.wait()
        return web.Response(status=401)

    api.reply = reply
    call = await start_oauth2()
    await asyncio.gather(*(call() for _ in range(10)))
    assert len(issuer.token_requests) == 2


async def test_second_rejection_is_the_401_of_the_api(start_oauth2: Any, api: Any, issuer: Issuer) -> None:
    async def reply(request: web.Request) -> web.Response:
        return web.Response(status=401, text="no")

    api.reply = reply
    with pytest.raises(UpstreamStatusError) as caught:
        await (await start_oauth2())()
    assert (caught.value.upstream_status, caught.value.body) == (401, b"no")
    assert (len(issuer.token_requests), len(api.requests)) == (2, 2)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a stopped clock; its only element is the time."""
    now = [1000.0]
    monkeypatch.setattr("adapter_host.auth.upstream.oauth2.monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(("life", "due"), [(3600, 3570), ("3600", 3570), (40, 20), (0, 0)])
async def test_token_is_replaced_before_it_expires(
    start_oauth2: Any, api: Any, issuer: Issuer, clock: list[float], life: Any, due: int
) -> None:
    issuer.token_response["expires_in"] = life
    call = await start_oauth2()
    await call()
    clock[0] += due - 1
    if due:
        await call()
    clock[0] += 1
    await call()
    assert [*dict.fromkeys(tokens(api))] == ["Bearer t1", "Bearer t2"]
    assert len(issuer.token_requests) == 2


@pytest.mark.parametrize("life", [None, "soon", float(2**80)])
async def test_token_without_expiry_is_kept(start_oauth2: Any, issuer: Issuer, clock: list[float], life: Any) -> None:
    issuer.token_response["expires_in"] = life
    call = await start_oauth2()
    await call()
    clock[0] += 10**9
    await call()
    assert len(issuer.token_requests) == 1


async def test_token_is_used_until_it_expires_when_renewal_fails(
    start_oauth2: Any, api: Any, issuer: Issuer, clock: list[float]
) -> None:
    call = await start_oauth2()
    await call()
    issuer.reply = {"status": 500, "body": b"{}"}
    clock[0] += 3580
    await call()
    await call()
    assert (tokens(api), len(issuer.token_requests)) == (["Bearer t1"] * 3, 2)
    clock[0] += 5
    await call()
    assert len(issuer.token_requests) == 3
    clock[0] += 15
    with pytest.raises(UpstreamInvalidError, match=r"the authorization server of 'api' issued no token \(status 500\)"):
        await call()
    assert len(api.requests) == 4


@pytest.mark.parametrize(
    ("path", "described_at"),
    [
        ("", "/.well-known/oauth-authorization-server"),
        ("/", "/.well-known/openid-configuration"),
        ("/realm", "/.well-known/oauth-authorization-server/realm"),
        ("/realm", "/realm/.well-known/openid-configuration"),
        ("/realm", "/realm/.well-known/oauth-authorization-server"),
    ],
)
@pytest.mark.shows("AuthOAuth2", "authorizationServerUri")
async def test_discovery(start_oauth2: Any, api: Any, issuer: Issuer, path: str, described_at: str) -> None:
    issuer.described_at = described_at
    issuer.description = {"issuer": f"{issuer.url}{path}", "token_endpoint": f"{issuer.url}/oauth/token"}
    call = await start_oauth2(tokenEndpoint=None, authorizationServerUri=f"{issuer.url}{path}")
    await call()
    await call()
    assert issuer.paths[-2:] == [described_at, "/oauth/token"]


async def test_metadata_selects_the_client_authentication(start_oauth2: Any, issuer: Issuer) -> None:
    issuer.description = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    issuer.reply = {"status": 401, "body": b'{"error": "invalid_client"}'}
    with pytest.raises(UpstreamInvalidError, match="status 401: invalid_client"):
        await (await start_oauth2(tokenEndpoint=None, authorizationServerUri=issuer.url))()
    assert issuer.clients == [(SECRETS["ID"], SECRETS["SECRET"])]


@pytest.mark.parametrize(
    "description",
    [
        pytest.param({"issuer": "https://other.example"}, id="another issuer"),
        pytest.param({"token_endpoint": "http://login.example/token"}, id="no https"),
        pytest.param({"token_endpoint": 1}, id="no URL"),
    ],
)
async def test_invalid_metadata(
    start_oauth2: Any, issuer: Issuer, description: dict[str, Any], snapshot: SnapshotAssertion
) -> None:
    issuer.description = description
    with pytest.raises(UpstreamInvalidError) as caught:
        await (await start_oauth2(tokenEndpoint=None, authorizationServerUri=issuer.url))()
    assert caught.value.message == snapshot
    assert issuer.token_requests == []


async def test_missing_metadata(start_oauth2: Any, issuer: Issuer) -> None:
    issuer.described_at = ""
    with pytest.raises(UpstreamInvalidError, match="has no metadata"):
        await (await start_oauth2(tokenEndpoint=None, authorizationServerUri=issuer.url))()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"no", 200, id="not JSON"),
        pytest.param(b"[]", 200, id="not an object"),
        pytest.param(b'{"access_token": "%b"}' % (b"x" * 70_000), 200, id="too large"),
        pytest.param(b"{}", 200, id="no token"),
        pytest.param(b'{"access_token": "a\\r\\nb"}', 200, id="line break in the token"),
        pytest.param(b'{"access_token": "a", "token_type": "mac"}', 200, id="token type"),
        pytest.param(b'{"error": "invalid_scope", "error_description": "s3"}', 400, id="error code"),
        pytest.param(b'{"error": "<b>S3"}', 400, id="malformed error code"),
        pytest.param(b"", 302, id="redirect"),
    ],
)
async def test_invalid_token_responses(
    start_oauth2: Any, api: Any, issuer: Issuer, body: bytes, status: int, snapshot: SnapshotAssertion
) -> None:
    issuer.reply = {"body": body, "status": status, "headers": {"Location": f"{issuer.url}/elsewhere"}}
    with pytest.raises(UpstreamInvalidError) as caught:
        await (await start_oauth2())()
    assert caught.value.message == snapshot
    assert (api.requests, len(issuer.paths)) == ([], 1)


async def test_unreachable_and_slow_authorization_server(start_oauth2: Any, issuer: Issuer) -> None:
    with pytest.raises(
        UpstreamUnreachableError,
        match=r"the authorization server of 'api' cannot be reached; the request was not sent$",
    ):
        await (await start_oauth2(tokenEndpoint="http://127.0.0.1:1/token"))()
    issuer.hold = asyncio.Event()
    with pytest.raises(
        UpstreamTimeoutError,
        match=r"the authorization server of 'api' did not respond within 0\.1 s; the request was not sent$",
    ):
        await (await start_oauth2({"total_timeout": 0.2}))()


async def test_stopping_cancels_a_token_request(start_oauth2: Any, issuer: Issuer) -> None:
    issuer.hold = asyncio.Event()
    call = await start_oauth2()
    waiting = asyncio.create_task(call())
    await issuer.request_received.wait()
    await call.consumer.stop()
    with pytest.raises((asyncio.CancelledError, UpstreamError)):
        await waiting
    issuer.hold.set()


async def test_secrets_and_tokens_are_not_exposed(
    start_oauth2: Any, api: Any, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    call = await start_oauth2()
    await call()
    issuer.reply = {"status": 500}
    masked = f"Bearer (token of {issuer.url}/token for {{{{env.ID}}}})"
    assert call.operation.describe()["authentication"] == masked.replace("Bearer", "oauth2")
    assert call.operation.preview({})["headers"]["Authorization"] == masked
    shown = f"{[r.getMessage() for r in caplog.records]}{call.operation.scope!r}{call.operation.scope.credential!r}"
    auth_flow = call.operation.scope.credential.auth_flow
    shown += f"{auth_flow.grant!r}{auth_flow._token!r}"
    assert not any(secret in shown for secret in ("s3", "'t1'", "Bearer t1"))


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        pytest.param({}, "missing-key", id="no server"),
        pytest.param({"tokenEndpoint": "http://login.example/t"}, "insecure", id="http"),
        pytest.param({"authorizationServerUri": "https://u:p@login.example"}, "insecure", id="user in the URL"),
        pytest.param(
            {"tokenEndpoint": "https://a", "x-client": {"id": "", "secret": "s"}}, "credential", id="empty id"
        ),
        pytest.param(
            {"tokenEndpoint": "https://a", "x-client": {"id": "i", "secret": "\n"}},
            "credential",
            id="control character",
        ),
    ],
)
def test_invalid_authentication(problems: Any, keys: dict[str, Any], code: str, snapshot: SnapshotAssertion) -> None:
    (problem,) = problems(authentication={"type": "oauth2", "x-client": {"id": "i", "secret": "s"}, **keys})
    assert problem.code == code
    assert problem.message == snapshot


def test_unknown_client_key(problems: Any) -> None:
    client = {"id": "i", "secrt": "s", "secret": "s"}
    (reported,) = problems(authentication={"type": "oauth2", "tokenEndpoint": "https://a", "x-client": client})
    assert "unknown key 'secrt'; did you mean 'secret'?" in reported.message


async def test_mock_server_issues_and_checks_tokens(start: Any, api: Any, issuer: Issuer) -> None:
    for client in ({}, {"x-client": {**CLIENT, "authentication": "post"}}):
        declared = {"type": "oauth2", "tokenEndpoint": f"{issuer.url}/token", **client}
        call = await start(authentication=declared, secrets=SECRETS, settings={"mock": True})
        assert (await call())["received"]["path"] == "/things"
        assert (issuer.paths, api.requests) == ([], [])
        base = URL(call.consumer.base_uri)
        async with call.consumer._upstream._authorizer._session.get(base / "things") as response:
            assert (response.status, response.headers["WWW-Authenticate"]) == (401, "Bearer")
        async with call.consumer._upstream._authorizer._session.post(
            base / ".mock/token", data=b"client_id=x"
        ) as response:
            assert (response.status, orjson.loads(await response.read())) == (401, {"error": "invalid_client"})
