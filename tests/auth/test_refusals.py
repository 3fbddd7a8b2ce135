"""Refused requests: their details, and the bounds of accepted times."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from syrupy.assertion import SnapshotAssertion

from adapter_host import BuildContext, Host, Problem, ProblemsError, RefusedRequest, Settings, hookimpl
from adapter_host.auth.oauth2.authorization_server import RETRY_AFTER, TIMEOUT, AuthorizationServer
from adapter_host.auth.oauth2.claims import LEEWAY, ExpectedClaims, InvalidTokenError
from adapter_host.auth.oauth2.introspection import Client, IntrospectionVerifier
from adapter_host.auth.oauth2.jwt_verifier import JwtVerifier
from adapter_host.auth.oauth2.metadata import WELL_KNOWN
from adapter_host.auth.oauth2.resource import OAuth2Credentials
from adapter_host.plugin.access import Refusal
from tests.support.adapters import document, plain, plain_plugins
from tests.support.authorization_server import AUDIENCE, CLIENT, Issuer, issuing, private_key, public_jwk
from tests.support.oauth2_host import BINDS, ENVIRONMENT, WHERE, oauth2, post, serving


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as issuer:
        yield issuer


async def detail(url: str, token: str = "") -> tuple[int, str]:
    """Return the status, and the detail in the body of a response."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as session, session.post(url, headers=headers) as response:
        return response.status, (await response.json())["detail"]


async def test_details_of_refusals(issuer: Issuer, snapshot: SnapshotAssertion) -> None:
    async with serving(issuer) as url:
        assert [
            await detail(url),
            await detail(url, issuer.token(scope="write")),
            await detail(url, issuer.token(aud="https://other.example")),
            await detail(url, "malformed"),
            await detail(url, issuer.token(kid="other")),
        ] == snapshot


class Observer:
    """A plugin that keeps the requests that are refused."""

    def __init__(self) -> None:
        self.seen: list[RefusedRequest] = []

    @hookimpl
    def access_refused(self, context: BuildContext) -> Callable[[RefusedRequest], None]:
        return self.seen.append


async def test_observed_refusals(issuer: Issuer) -> None:
    observer = Observer()
    exposed = plain(authentication=oauth2(issuer.url))
    settings = Settings(environment=ENVIRONMENT)
    async with (
        Host(document(exposed, binds=BINDS), plugins=plain_plugins(own=observer), settings=settings) as host,
        aiohttp.ClientSession() as session,
    ):
        root = host.status()[0].url
        for token in (None, issuer.token(kid="other"), issuer.token(scope="write", sub="ann")):
            await post(f"{root}/get", token)
        metadata = f"{WELL_KNOWN}/orders"
        async with session.get(f"{root}{metadata}", headers={"Host": "evil.example"}) as response:
            assert response.status == 421
    assert [(each.refusal.code, each.method, each.path, each.call.exposer) for each in observer.seen] == [
        ("missing-credentials", "POST", "/{name}", "front"),
        ("invalid-token", "POST", "/{name}", "front"),
        ("insufficient-scope", "POST", "/{name}", "front"),
        ("host-not-allowed", "GET", metadata, "front"),
    ]
    principals = [each.call.principal and each.call.principal.subject for each in observer.seen]
    assert principals == [None, None, "ann", None]
    assert [each.call.authentication for each in observer.seen] == [None, None, "oauth2", None]


@pytest.mark.parametrize("path", ["/.well-known/oauth-authorization-server", "/keys"])
async def test_details_while_the_server_is_unavailable(
    issuer: Issuer, path: str, snapshot: SnapshotAssertion, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.responses[path] = web.Response(status=404)
    async with serving(issuer) as url:
        # The second response comes without a request to the authorization server.
        assert [await detail(url, issuer.token()) for _ in range(2)] == snapshot
    logged = [record.args for record in caplog.records if record.name == "adapter_host" and record.args]
    assert [(server == issuer.url, str(reason).replace(issuer.url, "")) for server, reason in logged] == snapshot


async def test_key_set_without_usable_keys(
    issuer: Issuer, snapshot: SnapshotAssertion, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.keys = []
    async with serving(issuer) as url:
        assert await detail(url, issuer.token()) == snapshot
    assert [record.getMessage() for record in caplog.records if record.name == "adapter_host"] == snapshot


async def test_retry_after_of_a_stopped_server(issuer: Issuer) -> None:
    server = AuthorizationServer(issuer.url)
    credentials = OAuth2Credentials(server, JwtVerifier(server, AUDIENCE), AUDIENCE, ())
    await credentials.start()
    assert server._session is not None
    assert server._session.timeout.total == TIMEOUT
    await credentials.stop()
    refused = await credentials._verify(issuer.token())
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.retry_after) == (503, RETRY_AFTER)


async def test_stop_during_an_introspection(issuer: Issuer) -> None:
    issuer.open.clear()
    server = AuthorizationServer(issuer.url)
    await server.start()
    tokens = IntrospectionVerifier(server, AUDIENCE, Client(*CLIENT))
    verified = asyncio.create_task(tokens.verify("t0ken"))
    await issuer.reached.wait()
    await tokens.stop()
    await server.stop()
    with pytest.raises(asyncio.CancelledError):
        await verified


async def test_key_with_members_of_other_types_of_keys(issuer: Issuer) -> None:
    issuer.keys = [public_jwk(private_key("RSA"), "RS256", kid="one", crv="P-256")]
    async with serving(issuer) as url:
        assert (await post(url, issuer.token(kind="RSA", algorithm="RS256")))[0] == 200


def test_scopes_that_are_not_words() -> None:
    claims = {"aud": "us", "sub": "ann", "scope": "read  write ", "scp": ["more", "", 7, {}, None]}
    principal = ExpectedClaims("us", ()).principal(claims, "issuer", "t0ken", 0.0)
    assert principal.scopes == {"read", "write", "more"}


async def test_all_scopes_are_in_challenges(issuer: Issuer) -> None:
    async with serving(issuer, scopes=["read", "write"]) as url:
        assert (await post(url))[1] == f'Bearer scope="read write", {WHERE}'
    async with serving(issuer, scopes=[]) as url:
        assert (await post(url))[1] == f"Bearer {WHERE}"


@pytest.mark.parametrize(
    ("claims", "accepted"),
    [
        ({"exp": 1000.0 - LEEWAY + 0.5}, True),
        ({"exp": 1000.0 - LEEWAY}, False),
        ({"nbf": 1000.0 + LEEWAY}, True),
        ({"nbf": 1000.0 + LEEWAY + 0.5}, False),
        ({"iat": 1000.0 + LEEWAY}, True),
        ({"iat": 1000.0 + LEEWAY + 0.5}, False),
        ({"nbf": 0, "iat": 0}, True),
    ],
    ids=str,
)
def test_bounds_of_times(claims: dict[str, Any], accepted: bool) -> None:
    expected = ExpectedClaims("us", ())
    if accepted:
        assert expected.principal({"aud": "us", "sub": "ann", **claims}, "issuer", "t0ken", 1000.0).subject == "ann"
    else:
        with pytest.raises(InvalidTokenError):
            expected.principal({"aud": "us", "sub": "ann", **claims}, "issuer", "t0ken", 1000.0)


def problems(authentication: dict[str, Any]) -> list[Problem]:
    """Return the problems of a document with `authentication`."""
    with pytest.raises(ProblemsError) as raised:
        Host(document(plain(authentication=authentication)), plugins=plain_plugins())
    return list(raised.value.problems)


def test_input_in_a_secret() -> None:
    (problem,) = problems({"type": "bearer", "token": "{{front.token}}"})
    assert ".authentication.token: " in problem.message


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("bearer", ["token"]),
        ("apikey", ["key", "value"]),
        ("basic", ["username", "password"]),
        ("digest", ["username", "password"]),
    ],
)
def test_missing_secrets(kind: str, fields: list[str], snapshot: SnapshotAssertion) -> None:
    found = problems({"type": kind})
    assert [problem.code for problem in found] == ["missing-key"] * len(fields)
    for problem, field in zip(found, fields, strict=True):
        assert f".authentication.{field}: " in problem.message
    assert [problem.message for problem in found] == snapshot
