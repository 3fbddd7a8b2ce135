"""The authorization server: discovery, keys, introspection and outages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from syrupy.assertion import SnapshotAssertion

from adapter_host import UnavailableError, is_secure, metadata_urls
from adapter_host.auth.oauth2.authorization_server import RESPONSE_LIMIT, RETRY_AFTER, AuthorizationServer
from adapter_host.auth.oauth2.claims import LEEWAY, InvalidTokenError
from adapter_host.auth.oauth2.introspection import CACHE_SECONDS, CACHE_SIZE, Client, IntrospectionVerifier
from adapter_host.auth.oauth2.jwt_verifier import JwtVerifier
from adapter_host.auth.oauth2.key_set import MAX_AGE, MAX_STALE, MIN_INTERVAL, KeySet
from adapter_host.operation.callers import Principal
from tests.support.adapters import plain
from tests.support.authorization_server import AUDIENCE, CLIENT, Issuer, Now, issuing, private_key, public_jwk, resolved
from tests.support.oauth2_host import INTROSPECTION, Clock, host, invalid, oauth2, post, serving


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as issuer:
        yield issuer


# The authorization server


@pytest.mark.parametrize(
    ("issuer", "urls"),
    [
        (
            "https://a.example",
            [
                "https://a.example/.well-known/oauth-authorization-server",
                "https://a.example/.well-known/openid-configuration",
            ],
        ),
        (
            "https://a.example:8443/realms/x/",
            [
                "https://a.example:8443/.well-known/oauth-authorization-server/realms/x",
                "https://a.example:8443/.well-known/openid-configuration/realms/x",
                "https://a.example:8443/realms/x/.well-known/openid-configuration",
                "https://a.example:8443/realms/x/.well-known/oauth-authorization-server",
            ],
        ),
    ],
)
def test_metadata_urls(issuer: str, urls: list[str]) -> None:
    assert list(metadata_urls(issuer)) == urls


@pytest.mark.parametrize(
    "well_known",
    [
        "/.well-known/oauth-authorization-server{path}",
        "/.well-known/openid-configuration{path}",
        "{path}/.well-known/openid-configuration",
        "{path}/.well-known/oauth-authorization-server",
    ],
)
async def test_metadata_discovery(well_known: str) -> None:
    async with issuing("/realms/x", well_known=well_known) as issuer, serving(issuer) as url:
        for _ in range(3):
            assert (await post(url, issuer.token()))[0] == 200
        assert issuer.asked[well_known.format(path="/realms/x")] == issuer.asked["/keys"] == 1


@pytest.mark.parametrize(
    ("url", "secure"),
    [
        ("https://a.example", True),
        ("http://127.0.0.1:1", True),
        ("http://[::1]:1/x", True),
        ("http://localhost/x", True),
        ("http://a.example", False),
        ("http://localhost.a.example", False),
        ("http://10.0.0.1", False),
        ("https://a@a.example", False),
        ("https://a.example#x", False),
        ("ftp://localhost", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("https://[::1", False),
        ("", False),
    ],
)
def test_is_secure(url: str, secure: bool) -> None:
    assert is_secure(url) is secure


async def test_remote_server_may_not_refer_to_localhost() -> None:
    server = AuthorizationServer("https://a.example")
    await server.start()
    server._metadata = {"issuer": "https://a.example", "jwks_uri": "http://127.0.0.1:1/keys"}
    try:
        with pytest.raises(UnavailableError):
            await server.endpoint("jwks_uri")
    finally:
        await server.stop()


async def test_host_starts_while_the_server_is_down(caplog: pytest.LogCaptureFixture) -> None:
    async with issuing() as issuer:
        token = issuer.token()
    async with serving(issuer) as url:
        status, challenge, headers = await post(url, token)
        assert (status, challenge) == (503, "")
        assert 1 <= int(headers["Retry-After"]) <= RETRY_AFTER
        assert (await post(url))[0] == 401
    (record,) = [record for record in caplog.records if record.name == "adapter_host" and record.levelname == "WARNING"]
    reason = f"{issuer.url}/.well-known/oauth-authorization-server: ClientConnectorError"
    assert record.args == (issuer.url, reason)
    assert token not in caplog.text


METADATA = "/.well-known/oauth-authorization-server"


@pytest.mark.parametrize(
    ("path", "response"),
    [
        (METADATA, web.Response(status=500)),
        (METADATA, web.Response(text="{")),
        (METADATA, web.json_response([])),
        (METADATA, web.json_response({"issuer": "https://other.example"})),
        (METADATA, web.json_response({})),
        (METADATA, web.Response(body=b" " * (RESPONSE_LIMIT + 1) + b"{}")),
        ("/keys", web.Response(status=500)),
        ("/keys", web.Response(status=404)),
        ("/keys", web.Response(status=302, headers={"Location": "/elsewhere"})),
        ("/keys", web.Response(text="no")),
        ("/keys", web.json_response({"keys": []})),
        ("/keys", web.json_response({"keys": {"kty": "EC"}})),
        ("/keys", web.json_response({"keys": ["x", {}, {"kty": "RSA"}, {"kty": "EC", "crv": "P-256", "x": 1}]})),
    ],
)
async def test_unusable_responses(issuer: Issuer, path: str, response: web.Response) -> None:
    issuer.responses[path] = response
    async with serving(issuer) as url:
        assert (await post(url, issuer.token()))[0] == 503
        requests = issuer.asked.total()
        assert (await post(url, issuer.token()))[0] == 503
        assert issuer.asked.total() == requests, "no request until the retry delay is over"
        assert issuer.asked["/elsewhere"] == 0


@pytest.mark.parametrize("uri", [None, 7, "keys", "http://10.0.0.1/keys", "file:///etc/passwd"])
async def test_unusable_jwks_uri(issuer: Issuer, uri: Any) -> None:
    issuer.metadata["jwks_uri"] = uri
    async with serving(issuer) as url:
        assert (await post(url, issuer.token()))[0] == 503


async def test_concurrent_requests_fetch_keys_once(issuer: Issuer) -> None:
    issuer.open.clear()
    async with serving(issuer) as url:
        waiting = [asyncio.create_task(post(url, issuer.token(sub=f"s{index}"))) for index in range(20)]
        await issuer.reached.wait()
        issuer.open.set()
        assert {status for status, _, _ in await asyncio.gather(*waiting)} == {200}
        assert issuer.asked == {METADATA: 1, "/keys": 1}


async def test_cancelled_request_does_not_cancel_the_fetch(issuer: Issuer) -> None:
    issuer.open.clear()
    async with serving(issuer) as url:
        first = asyncio.create_task(post(url, issuer.token()))
        await issuer.reached.wait()
        second = asyncio.create_task(post(url, issuer.token()))
        first.cancel()
        await asyncio.wait([first])
        issuer.open.set()
        assert (await second)[0] == 200
        assert issuer.asked.total() == 2


async def test_host_stops_during_a_fetch(issuer: Issuer) -> None:
    issuer.open.clear()
    served = host(plain(authentication=oauth2(issuer.url)), drain_timeout=0.01)
    async with served:
        asking = asyncio.create_task(post(f"{served.status()[0].url}/get", issuer.token()))
        await issuer.reached.wait()
    with pytest.raises(aiohttp.ClientError):
        await asking


async def test_unknown_key_ids_do_not_cause_fetches(issuer: Issuer) -> None:
    async with serving(issuer) as url:
        assert (await post(url, issuer.token()))[0] == 200
        strangers = [post(url, issuer.token(kid=f"k{index}", name="other")) for index in range(60)]
        for status, challenge, _ in await asyncio.gather(*strangers):
            assert (status, challenge) == (401, invalid("the token is signed with an unknown key"))
        assert issuer.asked["/keys"] == 1
        assert (await post(url, issuer.token()))[0] == 200


# Keys over time


class Published:
    """A key set endpoint with the keys `names`; counts requests in `asked`, and fails while `down`."""

    def __init__(self) -> None:
        self.names = ["one"]
        self.asked = 0
        self.down = False

    async def __call__(self) -> Mapping[str, Any]:
        self.asked += 1
        if self.down:
            raise UnavailableError("down")
        return {"keys": [public_jwk(private_key("P-256", name), "ES256", kid=name) for name in self.names]}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
def keys(published: Published, clock: Clock) -> KeySet:
    return KeySet(published, clock)


async def ids(keys: KeySet, key_id: str) -> bool:
    """Return whether a key is cached or can be fetched."""
    return bool(keys.find("ES256", key_id) or await keys.find_or_fetch("ES256", key_id))


async def test_rotated_keys(keys: KeySet, published: Published, clock: Clock) -> None:
    assert await ids(keys, "one")
    published.names = ["two"]
    clock.now += MIN_INTERVAL - 1
    assert not await ids(keys, "two")
    assert published.asked == 1
    clock.now += 1
    assert await ids(keys, "two")
    assert not await ids(keys, "one")
    assert published.asked == 2


async def test_stale_keys_are_used_during_a_fetch(keys: KeySet, published: Published, clock: Clock) -> None:
    assert await ids(keys, "one")
    published.names = ["two"]
    clock.now += MAX_AGE
    assert keys.find("ES256", "one")
    assert await keys.find_or_fetch("ES256", "two")
    assert not keys.find("ES256", "one")
    assert published.asked == 2


async def test_last_good_keys_are_kept_after_a_failed_fetch(keys: KeySet, published: Published, clock: Clock) -> None:
    assert await ids(keys, "one")
    published.down = True
    for _ in range(3):
        clock.now += MAX_AGE
        assert keys.find("ES256", "one")
        assert not await ids(keys, "two")
    assert published.asked == 4
    assert keys.find("ES256", "one")
    assert published.asked == 4


async def test_stale_keys_expire(keys: KeySet, published: Published, clock: Clock) -> None:
    assert await ids(keys, "one")
    published.down = True
    clock.now += MAX_STALE
    assert not keys.find("ES256", "one")
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await keys.find_or_fetch("ES256", "one")
    assert published.asked == 2


async def test_fetch_is_retried_soon_without_keys(keys: KeySet, published: Published, clock: Clock) -> None:
    published.down = True
    for _ in range(3):
        with pytest.raises(UnavailableError):
            await keys.find_or_fetch("ES256", "one")
    assert published.asked == 1
    published.down = False
    clock.now += RETRY_AFTER
    assert await ids(keys, "one")
    assert published.asked == 2


# Introspection


@asynccontextmanager
async def introspecting(issuer: Issuer, **clocks: Clock) -> AsyncIterator[IntrospectionVerifier]:
    server = AuthorizationServer(issuer.url)
    await server.start()
    tokens = IntrospectionVerifier(server, AUDIENCE, Client(*CLIENT), **clocks)
    try:
        yield tokens
    finally:
        await tokens.stop()
        await server.stop()


@pytest.mark.shows("AuthOAuth2", "tokenValidation")
async def test_introspected_tokens(issuer: Issuer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    issuer.introspected["good"] = {"active": True, "aud": AUDIENCE, "scope": "read", "sub": "ann"}
    issuer.introspected["narrow"] = {"active": True, "aud": AUDIENCE, "scope": "write"}
    async with serving(issuer, **INTROSPECTION) as url:
        for _ in range(3):
            assert (await post(url, "good"))[0] == 200
            assert (await post(url, "narrow"))[0] == 403
            status, challenge, _ = await post(url, "revoked")
            assert (status, challenge) == (401, invalid("the token is not active"))
    assert issuer.forms == [
        {"token": token, "token_type_hint": "access_token"} for token in ("good", "narrow", "revoked")
    ]
    for secret in ("good", "narrow", "revoked", CLIENT[1]):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    "claims",
    [
        {"active": "true"},
        {"active": 1},
        {"active": None},
        {"aud": None},
        {"aud": "https://other.example"},
        {"iss": "https://other.example"},
        {"exp": Now(-LEEWAY - 5)},
        {"nbf": Now(LEEWAY + 60)},
    ],
    ids=str,
)
async def test_introspected_claims_are_checked(
    issuer: Issuer, claims: dict[str, Any], snapshot: SnapshotAssertion
) -> None:
    issuer.introspected["t0ken"] = resolved({"active": True, "aud": AUDIENCE, "scope": "read", **claims})
    async with serving(issuer, **INTROSPECTION) as url:
        status, challenge, _ = await post(url, "t0ken")
    assert status == 401
    assert challenge == snapshot


async def test_introspection_results_are_cached_briefly(issuer: Issuer, clock: Clock) -> None:
    date = Clock()
    date.now = 1_800_000_000.0
    issuer.introspected["t0ken"] = {"active": True, "aud": AUDIENCE, "sub": "ann"}
    issuer.introspected["short"] = {"active": True, "aud": AUDIENCE, "sub": "ann", "exp": date.now + 5}
    async with introspecting(issuer, clock=clock, wall_clock=date) as tokens:
        for name in ("t0ken", "short"):
            assert await tokens.verify(name) == tokens.verify_cached(name) == Principal("ann", issuer=issuer.url)
        # Corrections of the date neither lengthen nor end the life of a result.
        date.now -= 86_400
        issuer.introspected.clear()
        clock.now += 5
        assert tokens.verify_cached("t0ken")
        assert tokens.verify_cached("short") is None
        date.now += 2 * 86_400
        assert tokens.verify_cached("t0ken")
        clock.now += CACHE_SECONDS
        assert tokens.verify_cached("t0ken") is None
        with pytest.raises(InvalidTokenError):
            await tokens.verify("t0ken")
        with pytest.raises(InvalidTokenError):
            tokens.verify_cached("t0ken")


async def test_concurrent_introspections_are_one_request(issuer: Issuer) -> None:
    issuer.introspected["t0ken"] = {"active": True, "aud": AUDIENCE}
    async with introspecting(issuer) as tokens:
        await asyncio.gather(*(tokens.verify("t0ken") for _ in range(20)))
        assert issuer.asked["/introspect"] == 1


async def test_introspection_cache_is_bounded(issuer: Issuer) -> None:
    async with introspecting(issuer) as tokens:
        for index in range(CACHE_SIZE + 10):
            tokens._cache(index.to_bytes(4), 0.0, Principal())
        assert len(tokens._results) == CACHE_SIZE


@pytest.mark.parametrize("change", ["endpoint", "client", "response", "down"])
async def test_failed_introspection_rejects(issuer: Issuer, change: str) -> None:
    issuer.introspected["t0ken"] = {"active": True, "aud": AUDIENCE, "scope": "read"}
    more = dict(INTROSPECTION)
    if change == "endpoint":
        del issuer.metadata["introspection_endpoint"]
    elif change == "client":
        more["x-client-secret"] = "other"
    elif change == "response":
        issuer.responses["/introspect"] = web.Response(text="active")
    else:
        issuer.responses["/introspect"] = web.Response(status=503)
    async with serving(issuer, **more) as url:
        assert (await post(url, "t0ken"))[0] == 503


async def test_failed_fetch_discards_the_metadata(issuer: Issuer) -> None:
    server = AuthorizationServer(issuer.url)
    tokens = JwtVerifier(server, AUDIENCE)
    await server.start()
    try:
        issuer.responses["/keys"] = web.Response(status=404)
        with pytest.raises(UnavailableError):
            await tokens._fetch()
        issuer.metadata["jwks_uri"] = issuer.metadata["introspection_endpoint"].replace("introspect", "moved")
        server._not_before = 0.0
        issuer.responses["/moved"] = web.json_response({"keys": issuer.keys})
        assert await tokens._fetch() == {"keys": issuer.keys}
    finally:
        await tokens.stop()
        await server.stop()
