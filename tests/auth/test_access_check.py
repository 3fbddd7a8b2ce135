"""The access check of exposers that the host does not serve: every type of authentication."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from adapter_host import AccessCheck, Exposer, Host, Principal, Refusal, RegisterExposer, Settings, Verdict, hookimpl
from adapter_host.testing import FakeExposer
from tests.support.adapters import document, plain_plugins
from tests.support.authorization_server import Issuer, issuing
from tests.support.oauth2_host import BINDS, ENVIRONMENT, INTROSPECTION, oauth2

APIKEY = {"type": "apikey", "key": "X-Key", "value": "k3y"}
BEARER = {"type": "bearer", "token": "t0ken"}
BASIC = {"type": "basic", "username": "ada", "password": "s3cret"}
DIGEST = {**BASIC, "type": "digest"}


class CheckedExposer(FakeExposer):
    """An exposer without a server, which checks its callers."""

    checks_callers = True


class CheckedPlugin:
    """The plugin of `type: checked`."""

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("checked", CheckedExposer)


MISSING, INVALID = "missing-credentials", "invalid-credentials"


@asynccontextmanager
async def checking(authentication: Mapping[str, Any] | None) -> AsyncIterator[AccessCheck | None]:
    """Start a host of one exposer; yield its access check."""
    declared = {} if authentication is None else {"authentication": authentication}
    exposed = {"type": "checked", "namespace": "front", **declared}
    plugins = plain_plugins(checked=CheckedPlugin())
    settings = Settings(environment=ENVIRONMENT)
    async with Host(document(exposed, binds=BINDS), plugins=plugins, settings=settings) as host:
        exposer: Exposer[Any] = host.status()[0].exposer
        yield exposer.context.access


async def check(authentication: Mapping[str, Any], headers: Mapping[str, str], **request: Any) -> Verdict:
    async with checking(authentication) as access:
        assert access is not None
        verdict = access.check(headers, **request)
        return await verdict if isinstance(verdict, Awaitable) else verdict


def basic(text: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


async def test_no_authentication() -> None:
    async with checking(None) as access:
        assert access is None


@pytest.mark.parametrize(
    ("authentication", "headers", "path", "principal"),
    [
        (APIKEY, {"X-Key": "k3y"}, "", Principal()),
        (APIKEY, {"x-key": "k3y"}, "", Principal()),
        ({**APIKEY, "in": "query"}, {}, "/lines?x=1&X-Key=k3y", Principal()),
        ({**APIKEY, "in": "query", "value": "ä/&"}, {}, "/?X-Key=%C3%A4%2F%26", Principal()),
        (BEARER, {"authorization": "bearer t0ken"}, "", Principal()),
        (BASIC, basic("ada:s3cret"), "", Principal("ada")),
    ],
    ids=lambda value: value.get("type") if isinstance(value, dict) else None,
)
async def test_shared_secrets(
    authentication: dict[str, Any], headers: dict[str, str], path: str, principal: Principal
) -> None:
    assert await check(authentication, headers, path=path) == principal


@pytest.mark.parametrize(
    ("authentication", "headers", "path", "challenge", "code"),
    [
        (APIKEY, {}, "", 'ApiKey header="X-Key"', MISSING),
        (APIKEY, {"X-Key": "k3Y"}, "", 'ApiKey header="X-Key"', INVALID),
        (APIKEY, {"X-Key": ""}, "/?X-Key=k3y", 'ApiKey header="X-Key"', MISSING),
        ({**APIKEY, "in": "query"}, {"X-Key": "k3y"}, "/?X-Key=", 'ApiKey query="X-Key"', MISSING),
        (BEARER, {"Authorization": "Basic t0ken"}, "", "Bearer", MISSING),
        (BASIC, basic("ada:secret"), "", 'Basic realm="adapter-host", charset="UTF-8"', INVALID),
        (BASIC, {"Authorization": "Basic %"}, "", 'Basic realm="adapter-host", charset="UTF-8"', INVALID),
    ],
    ids=lambda value: value.get("type") if isinstance(value, dict) else None,
)
async def test_refused_secrets(
    authentication: dict[str, Any], headers: dict[str, str], path: str, challenge: str, code: str
) -> None:
    expected = Refusal(401, "valid credentials are required", (challenge,), code=code)
    assert await check(authentication, headers, path=path) == expected


@pytest.mark.parametrize("make", [dict, CIMultiDict, lambda pairs: CIMultiDictProxy(CIMultiDict(pairs))])
async def test_kinds_of_headers(make: Any) -> None:
    assert await check(BEARER, make([("AUTHORIZATION", "Bearer t0ken")])) == Principal()


def respond(challenge: str, method: str, uri: str, count: int = 1) -> dict[str, str]:
    """Return the headers of the response to a digest challenge (RFC 7616)."""
    nonce = re.findall(r'nonce="([^"]+)"', challenge)[0]

    def digest(*parts: str) -> str:
        return hashlib.sha256(":".join(parts).encode()).hexdigest()

    account = digest("ada", "adapter-host", "s3cret")
    response = digest(account, nonce, f"{count:08x}", "c", "auth", digest(method, uri))
    parameters = {"username": "ada", "realm": "adapter-host", "nonce": nonce, "uri": uri, "response": response}
    quoted = ", ".join(f'{name}="{value}"' for name, value in parameters.items())
    return {"Authorization": f'Digest {quoted}, algorithm=SHA-256, qop=auth, nc={count:08x}, cnonce="c"'}


async def test_digest() -> None:
    async with checking(DIGEST) as access:
        assert access is not None
        refusal = access.check({}, method="POST", path="/pkg.Shop/Get")
        assert isinstance(refusal, Refusal)
        assert (refusal.status, len(refusal.challenges)) == (401, 2)
        headers = respond(refusal.challenges[0], "POST", "/pkg.Shop/Get")
        for method, path in ("GET", "/pkg.Shop/Get"), ("POST", "/pkg.Shop/List"):
            assert isinstance(access.check(headers, method=method, path=path), Refusal)
        assert access.check(headers, method="POST", path="/pkg.Shop/Get") == Principal("ada")
        assert isinstance(access.check(headers, method="POST", path="/pkg.Shop/Get"), Refusal)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as issuer:
        yield issuer


@pytest.mark.parametrize("extra", [{}, INTROSPECTION], ids=["signed", "introspected"])
async def test_oauth2(issuer: Issuer, extra: dict[str, Any]) -> None:
    token = issuer.token(sub="ada", client_id="app")
    issuer.introspected[token] = {"active": True, **issuer.claims(sub="ada", client_id="app")}
    verdict = await check(oauth2(issuer.url, **extra), {"Authorization": f"Bearer {token}"})
    assert isinstance(verdict, Principal)
    assert (verdict.subject, verdict.client, verdict.issuer, "read" in verdict.scopes) == (
        "ada",
        "app",
        issuer.url,
        True,
    )


async def test_refused_tokens(issuer: Issuer) -> None:
    async with checking(oauth2(issuer.url)) as access:
        assert access is not None
        missing = access.check({})
        assert isinstance(missing, Refusal)
        assert missing.status == 401
        pending = access.check({"Authorization": f"Bearer {issuer.token(scope='write')}"})
        assert isinstance(pending, Awaitable)
        insufficient = await pending
        assert isinstance(insufficient, Refusal)
        assert (insufficient.status, insufficient.detail) == (403, "the token lacks a required scope")


async def test_refusals_are_logged_with_the_peer(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="adapter_host"):
        await check(BEARER, {"Authorization": "Bearer wr0ng"}, peer="192.0.2.7")
    (message,) = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert message == "'front' refused a client at 192.0.2.7: valid credentials are required"
