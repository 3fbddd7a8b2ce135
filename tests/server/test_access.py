"""Tests of the access check: the Host and Origin headers, and authentication."""

from __future__ import annotations

import base64
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from syrupy.assertion import SnapshotAssertion

from adapter_host import PRINCIPAL, Host, Principal, ProblemsError, RegisterExposer, Settings, hookimpl
from adapter_host.hosts import host_name, is_loopback
from adapter_host.plugin.access import Refusal
from tests.support.adapters import PlainExposer, document, plain, plain_plugins

ENVIRONMENT = {"FRONT_TOKEN": "s3cr3t", "FRONT_USER": "ann", "FRONT_PASSWORD": "pässword", "EMPTY": ""}
BINDS = [{"namespace": "env", "keys": {"TOKEN": "FRONT_TOKEN", "USER": "FRONT_USER", "PASSWORD": "FRONT_PASSWORD"}}]
BEARER = {"type": "bearer", "token": "{{env.TOKEN}}"}
BASIC = {"type": "basic", "username": "{{USER}}", "password": "{{PASSWORD}}"}
HEADER = {"type": "apikey", "key": "X-Key", "value": "{{TOKEN}}"}
QUERY = {**HEADER, "key": "key", "placement": "query"}


@asynccontextmanager
async def serving(
    authentication: dict[str, Any] | None = None, *, address: str = "localhost", **settings: Any
) -> AsyncIterator[str]:
    """Serve a host of one plain operation; yield its URL."""
    exposed = plain(address=address, authentication=authentication)
    host = Host(
        document(exposed, binds=BINDS),
        plugins=plain_plugins(),
        settings=Settings(**{"environment": ENVIRONMENT, **settings}),
    )
    async with host:
        yield f"{host.status()[0].url}/get"


async def post(url: str, **headers: str) -> tuple[int, str, dict[str, Any]]:
    """Return the status, WWW-Authenticate and body of a response."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with aiohttp.ClientSession() as session, session.post(url, headers=sent) as response:
        return response.status, response.headers.get("WWW-Authenticate", ""), await response.json(content_type=None)


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("authentication", "headers", "status"),
    [
        (BEARER, {"Authorization": "Bearer s3cr3t"}, 200),
        (BEARER, {"Authorization": "bearer  s3cr3t "}, 200),
        (BEARER, {"Authorization": "Bearer s3cr3"}, 401),
        (BEARER, {"Authorization": "Bearer s3cr3ts"}, 401),
        (BEARER, {"Authorization": "Bearer S3CR3T"}, 401),
        (BEARER, {"Authorization": "Bearer {{env.TOKEN}}"}, 401),
        (BEARER, {"Authorization": "Bearer"}, 401),
        (BEARER, {"Authorization": "Bearer "}, 401),
        (BEARER, {"Authorization": ""}, 401),
        (BEARER, {"Authorization": "s3cr3t"}, 401),
        (BEARER, {"Authorization": "Basic s3cr3t"}, 401),
        (BEARER, {"Authorization": "Bearer \u00e9"}, 401),
        (BEARER, {}, 401),
        (BASIC, {"Authorization": basic("ann:pässword")}, 200),
        (BASIC, {"Authorization": basic("ann:pässword").replace("Basic", "bAsIc")}, 200),
        (BASIC, {"Authorization": basic("ann:")}, 401),
        (BASIC, {"Authorization": basic(":pässword")}, 401),
        (BASIC, {"Authorization": basic("ann")}, 401),
        (BASIC, {"Authorization": basic("ann:pässword:more")}, 401),
        (BASIC, {"Authorization": basic(":")}, 401),
        (BASIC, {"Authorization": "Basic not base64!"}, 401),
        (BASIC, {"Authorization": "Basic \u00e9"}, 401),
        (BASIC, {"Authorization": "Basic"}, 401),
        (BASIC, {"Authorization": "Bearer s3cr3t"}, 401),
        (BASIC, {}, 401),
        (HEADER, {"X-Key": "s3cr3t"}, 200),
        (HEADER, {"x-key": "s3cr3t"}, 200),
        (HEADER, {"X-Key": "other"}, 401),
        (HEADER, {"X-Key": ""}, 401),
        (HEADER, {"Authorization": "Bearer s3cr3t"}, 401),
        (HEADER, {}, 401),
    ],
)
async def test_credentials(authentication: dict[str, Any], headers: dict[str, str], status: int) -> None:
    async with serving(authentication) as url:
        found, _, body = await post(url, **headers)
        assert found == status
        assert "s3cr3t" not in str(body)


@pytest.mark.parametrize(
    ("query", "status"), [("?key=s3cr3t", 200), ("?key=other", 401), ("?key=", 401), ("?KEY=s3cr3t", 401), ("", 401)]
)
async def test_api_key_in_query(query: str, status: int) -> None:
    async with serving(QUERY) as url:
        assert (await post(f"{url}{query}"))[0] == status


@pytest.mark.parametrize(
    ("authentication", "challenge"),
    [
        (BEARER, "Bearer"),
        (BASIC, 'Basic realm="adapter-host", charset="UTF-8"'),
        (HEADER, 'ApiKey header="X-Key"'),
        (QUERY, 'ApiKey query="key"'),
    ],
)
async def test_challenges(authentication: dict[str, Any], challenge: str) -> None:
    async with serving(authentication) as url:
        status, wanted, body = await post(url)
        assert (status, wanted) == (401, challenge)
        assert (body["status"], body["detail"]) == (401, "valid credentials are required")
        assert "s3cr3t" not in wanted


@pytest.mark.parametrize("authentication", [BEARER, BASIC, HEADER, QUERY])
async def test_empty_secret_rejects_everyone(authentication: dict[str, Any]) -> None:
    host = Host(
        document(plain(authentication=authentication), binds=BINDS),
        plugins=plain_plugins(),
        settings=Settings(environment={"FRONT_TOKEN": "", "FRONT_USER": "ann", "FRONT_PASSWORD": ""}),
    )
    with pytest.raises(ProblemsError):
        await host.start()
    credentials = host.plans[0].exposers[0].credentials
    assert credentials is not None
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": basic("ann:")}, {"X-Key": ""}):
        assert isinstance(credentials.check(Asked(headers)), Refusal)  # type: ignore[arg-type]


class Asked:
    """The attributes of a request that credentials read."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers
        self.query = {"key": ""}


@pytest.mark.parametrize(
    ("authentication", "headers"),
    [
        (BEARER, {"Authorization": "Bearer x"}),
        (BASIC, {"Authorization": basic("ann:x")}),
        ({**BASIC, "type": "digest"}, {"Authorization": 'Digest nonce="n", nc=00000001, cnonce="c", qop=auth'}),
        (HEADER, {"X-Key": "x"}),
        (QUERY, {}),
    ],
)
async def test_constant_time_comparison(
    authentication: dict[str, Any], headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[bytes] = []

    def compare(given: bytes, expected: bytes) -> bool:
        compared.append(expected)
        return False

    async with serving(authentication) as url:
        monkeypatch.setattr(hmac, "compare_digest", compare)
        assert (await post(f"{url}?key=x", **headers))[0] == 401
    assert compared


class Greeter(PlainExposer):
    """Responds with the principal of the request."""

    def build_app(self) -> web.Application:
        async def greet(request: web.Request) -> web.Response:
            principal = request.get(PRINCIPAL)
            assert principal is None or type(principal) is Principal
            return web.json_response(principal and [principal.subject, sorted(principal.scopes)])

        app = web.Application()
        app.router.add_post("/get", greet)
        return app


class GreeterPlugin:
    """The plugin of `type: greeter`."""

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("greeter", Greeter)


@pytest.mark.parametrize(
    ("authentication", "headers", "principal"),
    [
        (None, {"Authorization": "Bearer s3cr3t"}, None),
        (BEARER, {"Authorization": "Bearer s3cr3t"}, [None, []]),
        (HEADER, {"X-Key": "s3cr3t"}, [None, []]),
        (BASIC, {"Authorization": basic("ann:pässword")}, ["ann", []]),
    ],
)
async def test_principal_in_request(
    authentication: dict[str, Any] | None, headers: dict[str, str], principal: Any
) -> None:
    exposed = {**plain(authentication=authentication), "type": "greeter"}
    settings = Settings(environment=ENVIRONMENT)
    host = Host(document(exposed, binds=BINDS), plugins=plain_plugins(greeter=GreeterPlugin()), settings=settings)
    async with host:
        assert (await post(f"{host.status()[0].url}/get", **headers))[::2] == (200, principal)


async def test_every_path_needs_credentials() -> None:
    async with serving(BEARER) as url:
        for path in ("/get", "/nothing"):
            assert (await post(url.replace("/get", path)))[0] == 401
        async with aiohttp.ClientSession() as session, session.options(url) as response:
            assert response.status == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "LOCALHOST:1234"}, 200),
        ({"Host": "127.0.0.1"}, 200),
        ({"Host": "127.9.9.9:80"}, 200),
        ({"Host": "[::1]:80"}, 200),
        ({"Host": "evil.example"}, 421),
        ({"Host": "localhost.evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Host": "10.0.0.1"}, 421),
        ({"Host": ""}, 421),
        ({"Host": "[::1"}, 400),
        ({"Host": "[::1]evil.example"}, 400),
        ({"Host": "localhost:80:evil"}, 400),
        ({"Host": "localhost:port"}, 400),
        ({"Host": "key@localhost"}, 400),
        ({"Host": "localhost/path"}, 400),
        ({"Host": "localhost evil.example"}, 400),
        ({"Host": "evil\u00e9.example"}, 400),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "https://127.0.0.1"}, 200),
        ({"Origin": "http://[::1]:3000"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "ftp://localhost"}, 403),
        ({"Origin": "http://[::1"}, 403),
        ({"Origin": "file://"}, 403),
        ({"Origin": "http://localhost/path"}, 403),
        ({"Origin": "http://localhost:port"}, 403),
        ({"Origin": "http://key@localhost"}, 403),
        ({"Origin": "http://localhost http://localhost"}, 403),
    ],
)
async def test_hosts_and_origins_on_loopback(headers: dict[str, str], status: int) -> None:
    async with serving() as url:
        assert (await post(url, **headers))[0] == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "api.example"}, 200),
        ({"Host": "API.example:8080"}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "other.example"}, 421),
        ({"Host": "api.example", "Origin": "https://app.example"}, 200),
        ({"Host": "api.example", "Origin": "https://api.example"}, 200),
        ({"Host": "api.example", "Origin": "https://app.example:8443"}, 403),
        ({"Host": "api.example", "Origin": "http://app.example"}, 403),
    ],
)
async def test_allowed_hosts_and_origins(headers: dict[str, str], status: int) -> None:
    hosts, origins = frozenset({"api.example"}), frozenset({"https://app.example"})
    async with serving(allowed_hosts=hosts, allowed_origins=origins) as url:
        assert (await post(url, **headers))[0] == status


@pytest.mark.parametrize(
    ("allowed", "headers", "status"),
    [
        ((), {"Host": "any.example"}, 200),
        ((), {"Host": "any.example", "Origin": "https://any.example"}, 200),
        ((), {"Host": "any.example", "Origin": "https://evil.example"}, 403),
        ((), {"Host": "any.example", "Origin": "http://localhost:3000"}, 403),
        (("api.example",), {"Host": "api.example"}, 200),
        (("api.example",), {"Host": "any.example"}, 421),
        (("api.example",), {"Host": "localhost"}, 421),
        (("api.example",), {"Host": "api.example", "Origin": "https://api.example"}, 200),
    ],
)
async def test_hosts_and_origins_beyond_loopback(
    allowed: tuple[str, ...], headers: dict[str, str], status: int
) -> None:
    async with serving(address="0.0.0.0", allowed_hosts=frozenset(allowed)) as url:
        assert (await post(url, **headers))[0] == status


@pytest.mark.parametrize(
    ("proxies", "forwarded", "status"),
    [
        ((), "localhost", 421),
        (("127.0.0.0/8",), "localhost", 200),
        (("127.0.0.0/8",), "evil.example", 421),
        (("127.0.0.0/8",), "evil.example, localhost", 200),
        (("127.0.0.0/8",), "localhost, evil.example", 421),
        (("127.0.0.0/8",), "", 421),
        (("10.0.0.0/8",), "localhost", 421),
        (("::1/128",), "localhost", 421),
    ],
)
async def test_forwarded_host_of_trusted_proxy(proxies: tuple[str, ...], forwarded: str, status: int) -> None:
    async with serving(trusted_proxies=proxies) as url:
        assert (await post(url, Host="inner.example", X_Forwarded_Host=forwarded))[0] == status


async def test_forwarded_hosts_in_several_lines() -> None:
    lines = CIMultiDict({"Host": "inner.example", "X-Forwarded-Host": "localhost"})
    lines.add("X-Forwarded-Host", "evil.example")
    async with (
        serving(trusted_proxies=("127.0.0.0/8",)) as url,
        aiohttp.ClientSession() as session,
        session.post(url, headers=lines) as response,
    ):
        assert response.status == 421


async def test_several_origins() -> None:
    lines = CIMultiDict({"Origin": "http://localhost"})
    lines.add("Origin", "https://evil.example")
    async with serving() as url, aiohttp.ClientSession() as session, session.post(url, headers=lines) as response:
        assert response.status == 403


async def test_rejection_log_names_the_option(caplog: pytest.LogCaptureFixture, snapshot: SnapshotAssertion) -> None:
    async with serving() as url:
        status, _, body = await post(url, Host="evil.example:80")
        assert status == 421
        assert body["detail"] == snapshot
        status, _, body = await post(url, Origin="https://evil.example")
        assert status == 403
        assert body["detail"] == snapshot
    host, origin = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert "--allowed-origin 'https://evil.example'" in origin
    assert origin == snapshot
    assert host == snapshot


@pytest.mark.parametrize("name", ["Host", "Origin"])
async def test_malformed_headers_are_not_logged(name: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as url:
        await post(url, **{name: "http://s3cr3t@localhost"[7 if name == "Host" else 0 :]})
        await post(url, **{name: "key=s3cr3t@localhost"})
    assert caplog.messages == [f"rejected a request with a malformed {name} header"]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("a.example", "a.example"),
        ("A.Example:80", "a.example"),
        ("[::1]:80", "::1"),
        ("[::1]", "::1"),
        ("", ""),
        (":80", ""),
    ],
)
def test_host_name(host: str, name: str) -> None:
    assert host_name(host) == name


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost", "localhost.", "127.0.0.1", "127.255.255.254", "::1", "[::1]"]
)
def test_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "::", "localhost.example", "a-localhost", "127.1", "2130706433", "0x7f.1"]
)
def test_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@given(st.text())
def test_any_host_is_parsed(host: str) -> None:
    is_loopback(host_name(host))
