"""OAuth 2.0 client credentials, against an authorization server that counts."""

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
    """An authorization server; what it answers can be changed."""

    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    clients: list[tuple[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    answer: dict[str, Any] = field(default_factory=lambda: {"token_type": "bearer", "expires_in": 3600})
    reply: dict[str, Any] | None = None
    """What makes another answer; made anew each time, as one serves one request."""
    described_at: str = "/.well-known/oauth-authorization-server"
    description: dict[str, Any] = field(default_factory=dict)
    hold: asyncio.Event | None = None
    entered: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, request: web.Request) -> web.Response:
        self.paths.append(request.path)
        if request.method == "GET":
            found = request.path == self.described_at
            known = {"issuer": self.url, "token_endpoint": f"{self.url}/token", **self.description}
            return web.json_response(known) if found else web.Response(status=404)
        form = {name: str(value) for name, value in (await request.post()).items()}
        kind, _, pair = request.headers.get("Authorization", "").partition(" ")
        user, _, password = b64decode(pair).decode().partition(":")
        posted = form.pop("client_id", ""), form.pop("client_secret", "")
        self.clients.append((unquote_plus(user), unquote_plus(password)) if kind == "Basic" else posted)
        self.asked.append(form)
        self.entered.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.reply is not None:
            return web.Response(**self.reply)
        return web.json_response({"access_token": f"t{len(self.asked)}", **self.answer})


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
def begin(start: Any, issuer: Issuer) -> Any:
    async def begin(settings: dict[str, Any] | None = None, **keys: Any) -> Any:
        declared = {"type": "oauth2", "tokenEndpoint": f"{issuer.url}/token", "x-client": CLIENT, **keys}
        return await start(authentication=declared, secrets=SECRETS, settings=settings)

    return begin


def tokens(api: Any) -> list[str]:
    return [seen.headers.get("Authorization") for seen in api.seen]


@pytest.mark.shows("AuthOAuth2", "type", "tokenEndpoint", "resource", "audience", "scopes")
async def test_a_token_is_fetched_once(begin: Any, api: Any, issuer: Issuer) -> None:
    call = await begin(resource="https://api.example.org/", audience="ships", scopes=["read", "write:all"])
    assert issuer.asked == []
    await call()
    await call()
    assert tokens(api) == ["Bearer t1", "Bearer t1"]
    wanted = {"scope": "read write:all", "resource": "https://api.example.org/", "audience": "ships"}
    assert issuer.asked == [{"grant_type": "client_credentials", **wanted}]
    assert issuer.clients == [(SECRETS["ID"], SECRETS["SECRET"])]


async def test_the_secret_may_be_posted(begin: Any, issuer: Issuer) -> None:
    await (await begin(**{"x-client": {**CLIENT, "authentication": "post"}}))()
    assert issuer.clients == [(SECRETS["ID"], SECRETS["SECRET"])]
    assert issuer.asked == [{"grant_type": "client_credentials"}]


async def test_the_client_is_bound_by_its_usual_names(start: Any, issuer: Issuer) -> None:
    declared = {"type": "oauth2", "tokenEndpoint": f"{issuer.url}/token"}
    await (await start(authentication=declared, secrets={"CLIENT_ID": "a", "CLIENT_SECRET": "b"}))()
    assert issuer.clients == [("a", "b")]


@pytest.mark.parametrize("life", [3600, 0])
async def test_many_calls_wait_for_one_fetch(begin: Any, api: Any, issuer: Issuer, life: int) -> None:
    issuer.answer["expires_in"] = life
    call = await begin()
    if life == 0:
        await call()
    issuer.hold, before = asyncio.Event(), len(issuer.asked)
    issuer.entered.clear()
    calls = [asyncio.create_task(call()) for _ in range(20)]
    await issuer.entered.wait()
    calls[0].cancel()
    issuer.hold.set()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [{"ok": True}] * 19
    assert len(issuer.asked) == before + 1
    assert set(tokens(api)[before:]) == {f"Bearer t{before + 1}"}


async def test_a_refused_token_is_replaced_once(begin: Any, api: Any, issuer: Issuer) -> None:
    async def reply(request: web.Request) -> web.Response:
        good = request.headers["Authorization"] == "Bearer t2"
        return web.json_response({}, status=200 if good else 401)

    api.reply = reply
    call = await begin()
    await call()
    await call()
    assert tokens(api) == ["Bearer t1", "Bearer t2", "Bearer t2"]


async def test_calls_that_are_refused_together_share_the_next_token(begin: Any, api: Any, issuer: Issuer) -> None:
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
    call = await begin()
    await asyncio.gather(*(call() for _ in range(10)))
    assert len(issuer.asked) == 2


async def test_a_second_refusal_is_the_apis_401(begin: Any, api: Any, issuer: Issuer) -> None:
    async def reply(request: web.Request) -> web.Response:
        return web.Response(status=401, text="no")

    api.reply = reply
    with pytest.raises(UpstreamStatusError) as caught:
        await (await begin())()
    assert (caught.value.upstream_status, caught.value.body) == (401, b"no")
    assert (len(issuer.asked), len(api.seen)) == (2, 2)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a clock that stands still; its one element is the time."""
    now = [1000.0]
    monkeypatch.setattr("adapter_host_http.auth.oauth2.monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(("life", "due"), [(3600, 3570), ("3600", 3570), (40, 20), (0, 0)])
async def test_a_token_is_replaced_before_it_expires(
    begin: Any, api: Any, issuer: Issuer, clock: list[float], life: Any, due: int
) -> None:
    issuer.answer["expires_in"] = life
    call = await begin()
    await call()
    clock[0] += due - 1
    if due:
        await call()
    clock[0] += 1
    await call()
    assert [*dict.fromkeys(tokens(api))] == ["Bearer t1", "Bearer t2"]
    assert len(issuer.asked) == 2


@pytest.mark.parametrize("life", [None, "soon", float(2**80)])
async def test_a_token_without_an_end_is_kept(begin: Any, issuer: Issuer, clock: list[float], life: Any) -> None:
    issuer.answer["expires_in"] = life
    call = await begin()
    await call()
    clock[0] += 10**9
    await call()
    assert len(issuer.asked) == 1


async def test_a_token_serves_to_its_end_when_no_other_is_given(
    begin: Any, api: Any, issuer: Issuer, clock: list[float]
) -> None:
    call = await begin()
    await call()
    issuer.reply = {"status": 500, "body": b"{}"}
    clock[0] += 3580
    await call()
    await call()
    assert (tokens(api), len(issuer.asked)) == (["Bearer t1"] * 3, 2)
    clock[0] += 5
    await call()
    assert len(issuer.asked) == 3
    clock[0] += 15
    with pytest.raises(
        UpstreamInvalidError, match=r"the authorization server of 'api' gave no token \(it answered 500\)"
    ):
        await call()
    assert len(api.seen) == 4


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
async def test_discovery(begin: Any, api: Any, issuer: Issuer, path: str, described_at: str) -> None:
    issuer.described_at = described_at
    issuer.description = {"issuer": f"{issuer.url}{path}", "token_endpoint": f"{issuer.url}/oauth/token"}
    call = await begin(tokenEndpoint=None, authorizationServerUri=f"{issuer.url}{path}")
    await call()
    await call()
    assert issuer.paths[-2:] == [described_at, "/oauth/token"]


async def test_the_server_says_how_it_takes_the_secret(begin: Any, issuer: Issuer) -> None:
    issuer.description = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    issuer.reply = {"status": 401, "body": b'{"error": "invalid_client"}'}
    with pytest.raises(UpstreamInvalidError, match="it answered 401: invalid_client"):
        await (await begin(tokenEndpoint=None, authorizationServerUri=issuer.url))()
    assert issuer.clients == [(SECRETS["ID"], SECRETS["SECRET"])]


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"issuer": "https://other.example"}, "describes another issuer"),
        ({"token_endpoint": "http://login.example/token"}, "names no safe token endpoint"),
        ({"token_endpoint": 1}, "names no safe token endpoint"),
    ],
)
async def test_a_description_that_is_not_believed(
    begin: Any, issuer: Issuer, description: dict[str, Any], message: str
) -> None:
    issuer.description = description
    with pytest.raises(UpstreamInvalidError, match=message):
        await (await begin(tokenEndpoint=None, authorizationServerUri=issuer.url))()
    assert issuer.asked == []


async def test_a_server_without_a_description(begin: Any, issuer: Issuer) -> None:
    issuer.described_at = ""
    with pytest.raises(UpstreamInvalidError, match="does not describe itself"):
        await (await begin(tokenEndpoint=None, authorizationServerUri=issuer.url))()


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"no", 200, "did not answer a JSON object"),
        (b"[]", 200, "did not answer a JSON object"),
        (b'{"access_token": "%b"}' % (b"x" * 70_000), 200, "did not answer a JSON object"),
        (b"{}", 200, "answered without a token"),
        (b'{"access_token": "a\\r\\nb"}', 200, "answered without a token"),
        (b'{"access_token": "a", "token_type": "mac"}', 200, "gave a token of another type than Bearer"),
        (b'{"error": "invalid_scope", "error_description": "s3"}', 400, r"gave no token \(it .* 400: invalid_scope\)"),
        (b'{"error": "<b>S3"}', 400, r"gave no token \(it answered 400\)"),
        (b"", 302, r"gave no token \(it answered 302\)"),
    ],
)  # fmt: skip
async def test_answers_without_a_token(
    begin: Any, api: Any, issuer: Issuer, body: bytes, status: int, message: str
) -> None:
    issuer.reply = {"body": body, "status": status, "headers": {"Location": f"{issuer.url}/elsewhere"}}
    with pytest.raises(UpstreamInvalidError, match=f"^the authorization server of 'api' {message}$"):
        await (await begin())()
    assert (api.seen, len(issuer.paths)) == ([], 1)


async def test_a_server_that_is_away_or_slow(begin: Any, issuer: Issuer) -> None:
    with pytest.raises(UpstreamUnreachableError, match="the authorization server of 'api' cannot be reached"):
        await (await begin(tokenEndpoint="http://127.0.0.1:1/token"))()
    issuer.hold = asyncio.Event()
    with pytest.raises(UpstreamTimeoutError, match=r"the authorization server of 'api' did not answer within 0\.1 s"):
        await (await begin({"total_timeout": 0.2}))()


async def test_a_host_that_stops_ends_a_fetch(begin: Any, issuer: Issuer) -> None:
    issuer.hold = asyncio.Event()
    call = await begin()
    waiting = asyncio.create_task(call())
    await issuer.entered.wait()
    await call.consumer.stop()
    with pytest.raises((asyncio.CancelledError, UpstreamError)):
        await waiting
    issuer.hold.set()


async def test_secrets_and_tokens_are_shown_nowhere(
    begin: Any, api: Any, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    call = await begin()
    await call()
    issuer.reply = {"status": 500}
    masked = f"Bearer (a token of {issuer.url}/token for {{{{env.ID}}}})"
    assert call.operation.describe()["authentication"] == masked.replace("Bearer", "oauth2")
    assert call.operation.preview({})["headers"]["Authorization"] == masked
    shown = f"{[r.getMessage() for r in caplog.records]}{call.operation.scope!r}{call.operation.scope.credential!r}"
    auth_flow = call.operation.scope.credential.auth_flow
    shown += f"{auth_flow.grant!r}{auth_flow._token!r}"
    assert not any(secret in shown for secret in ("s3", "'t1'", "Bearer t1"))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "'authorizationServerUri' is missing (authentication 'oauth2' needs it, or 'tokenEndpoint')"),
        (
            {"tokenEndpoint": "http://login.example/t"},
            "'tokenEndpoint' must be an https:// address, or one of the loopback (given 'http://login.example/t')",
        ),
        (
            {"authorizationServerUri": "https://u:p@login.example"},
            "'authorizationServerUri' must be an https:// address, or one of the loopback"
            " (given 'https://...@login.example')",
        ),
        ({"tokenEndpoint": "https://a", "x-client": {"id": "", "secret": "s"}}, "'id' is empty"),
        ({"tokenEndpoint": "https://a", "x-client": {"id": "i", "secret": "\n"}}, "'secret' holds a control character"),
    ],
)  # fmt: skip
def test_problems(problems: Any, keys: dict[str, Any], message: str) -> None:
    found = problems(authentication={"type": "oauth2", "x-client": {"id": "i", "secret": "s"}, **keys})
    assert [problem.message.split(": ", 1)[1] for problem in found] == [message]


def test_an_unknown_key_of_the_client(problems: Any) -> None:
    client = {"id": "i", "secrt": "s", "secret": "s"}
    (found,) = problems(authentication={"type": "oauth2", "tokenEndpoint": "https://a", "x-client": client})
    assert "unknown key 'secrt'; did you mean 'secret'?" in found.message


async def test_the_stand_in_gives_and_checks_tokens(start: Any, api: Any, issuer: Issuer) -> None:
    for client in ({}, {"x-client": {**CLIENT, "authentication": "post"}}):
        declared = {"type": "oauth2", "tokenEndpoint": f"{issuer.url}/token", **client}
        call = await start(authentication=declared, secrets=SECRETS, settings={"mock": True})
        assert (await call())["received"]["path"] == "/things"
        assert (issuer.paths, api.seen) == ([], [])
        base = URL(call.consumer.base_uri)
        async with call.consumer._upstream._session.get(base / "things") as response:
            assert (response.status, response.headers["WWW-Authenticate"]) == (401, "Bearer")
        async with call.consumer._upstream._session.post(base / ".mock/token", data=b"client_id=x") as response:
            assert (response.status, orjson.loads(await response.read())) == (401, {"error": "invalid_client"})
