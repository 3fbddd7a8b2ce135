"""`oauth2` authentication in documents, and its public metadata."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from syrupy.assertion import SnapshotAssertion

from adapter_host import Host, Problem, ProblemsError, attach
from adapter_host.auth.oauth2.introspection import Client
from adapter_host.auth.oauth2.metadata import WELL_KNOWN
from tests.support.adapters import document, plain, plain_plugins
from tests.support.authorization_server import AUDIENCE, Issuer, issuing
from tests.support.oauth2_host import INTROSPECTION, host, oauth2, post, serving


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as issuer:
        yield issuer


# Metadata


async def described(url: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.json() if response.status == 200 else None


async def test_protected_resource_metadata(issuer: Issuer) -> None:
    expected = {
        "resource": AUDIENCE,
        "authorization_servers": [issuer.url],
        "scopes_supported": ["read"],
        "bearer_methods_supported": ["header"],
    }
    async with serving(issuer) as url:
        root = url.removesuffix("/get")
        for path in ("", "/orders"):
            assert await described(f"{root}{WELL_KNOWN}{path}") == (200, expected)
        assert (await described(f"{root}{WELL_KNOWN}/other"))[0] == 404
        assert (await post(f"{root}{WELL_KNOWN}"))[0] == 405
        headers = {"Host": "evil.example"}
        async with aiohttp.ClientSession() as session, session.get(f"{root}{WELL_KNOWN}", headers=headers) as refused:
            assert refused.status == 421


async def test_two_exposers_on_one_port(issuer: Issuer) -> None:
    entries = [
        plain(namespace=name, port=8080, authentication=oauth2(issuer.url, resource=f"https://api.example/{name}"))
        for name in ("first", "second")
    ]
    port = unused_port()
    async with host(*entries, ports={"first": port, "second": port}):
        root = f"http://127.0.0.1:{port}"
        for name in ("first", "second"):
            resource = f"https://api.example/{name}"
            assert (await described(f"{root}{WELL_KNOWN}/{name}"))[1]["resource"] == resource
            assert (await post(f"{root}/{name}/get", issuer.token(aud=resource)))[0] == 200
            assert (await post(f"{root}/{name}/get", issuer.token()))[0] == 401
        assert (await described(f"{root}{WELL_KNOWN}"))[0] == 404


@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_metadata_in_an_outer_application(issuer: Issuer, prefix: str) -> None:
    app = web.Application()
    attach(app, host(plain(authentication=oauth2(issuer.url))), prefix=prefix)
    async with TestServer(app) as server:
        root = str(server.make_url("")).rstrip("/")
        for path in ("/orders", f"{prefix}/front"):
            assert (await described(f"{root}{WELL_KNOWN}{path}"))[1]["resource"] == AUDIENCE
        assert (await described(f"{root}{WELL_KNOWN}/other"))[0] == 404
        assert (await post(f"{root}{prefix}/front/get", issuer.token()))[0] == 200


async def test_metadata_after_a_reload(issuer: Issuer) -> None:
    def exposing(**more: Any) -> dict[str, Any]:
        return document(plain(authentication=oauth2(issuer.url, **more)))

    async with Host(exposing(), plugins=plain_plugins()) as served:
        url = str(served.status()[0].url)
        await served.reload(exposing(resource="https://api.example/new"))
        assert (await described(f"{url}{WELL_KNOWN}/new"))[0] == 200
        assert (await described(f"{url}{WELL_KNOWN}/orders"))[0] == 404
        await served.reload(document(plain()))
        assert (await described(f"{url}{WELL_KNOWN}"))[0] == 404


# Documents


def problems(**authentication: Any) -> list[Problem]:
    declared = {key: value for key, value in oauth2("https://a.example", **authentication).items() if value is not None}
    try:
        return list(host(plain(authentication=declared)).warnings)
    except ProblemsError as error:
        return list(error.problems)


@pytest.mark.parametrize(
    ("authentication", "code", "key"),
    [
        ({"authorizationServerUri": None}, "missing-key", "authorizationServerUri"),
        ({"resource": ""}, "missing-key", "resource"),
        ({"authorizationServerUri": "http://a.example"}, "invalid", "authorizationServerUri"),
        ({"resource": "http://api.example"}, "not-https", "resource"),
        ({"resource": "api://x"}, "invalid", "resource"),
        ({"resource": 'https://api.example/"x'}, "invalid", "resource"),
        ({"authorizationServerUri": "https://joe:pw@a.example"}, "invalid", "authorizationServerUri"),
        ({"scopes": ["a b"]}, "invalid", "scopes.0"),
        ({"scopes": ['a"']}, "invalid", "scopes.0"),
        ({"tokenValidation": "none"}, "invalid", "tokenValidation"),
        ({"tokenValidation": "introspection", "x-client-id": "me"}, "missing-key", "x-client-secret"),
        ({**INTROSPECTION, "x-client-secret": ["a"]}, "missing-key", "x-client-secret"),
    ],
    ids=[
        "no server",
        "no resource",
        "http server",
        "http resource",
        "other scheme",
        "quote in a URL",
        "user in a URL",
        "two words",
        "quote in a scope",
        "validation",
        "no secret",
        "list",
    ],
)
def test_invalid_authentication(
    authentication: dict[str, Any], code: str, key: str, snapshot: SnapshotAssertion
) -> None:
    (problem,) = problems(**authentication)
    assert problem.code == code
    assert f".authentication.{key}: " in problem.message
    assert problem.message == snapshot


@pytest.mark.parametrize(
    "authentication",
    [
        {},
        {"authorizationServerUri": "http://localhost:9000/realms/x"},
        {"authorizationServerUri": "http://[::1]:9000"},
        {"tokenValidation": "jwks"},
        INTROSPECTION,
    ],
    ids=str,
)
def test_valid_authentication(authentication: dict[str, Any]) -> None:
    assert problems(**authentication) == []


async def test_issuer_from_the_environment(issuer: Issuer) -> None:
    declared = oauth2("{{env.ISSUER}}")
    environment = {"ISSUER": issuer.url}
    async with host(plain(authentication=declared), environment=environment) as served:
        assert (await post(f"{served.status()[0].url}/get", issuer.token()))[0] == 200
    assert host(plain(authentication=declared), mock=True).warnings == ()
    unresolved = host(plain(authentication=declared))
    with pytest.raises(ProblemsError, match=r"secret 'env\.ISSUER' is not set"):
        await unresolved.start()
    with pytest.raises(ProblemsError, match="https"):
        host(plain(authentication=declared), environment={"ISSUER": "http://a.example"})


@pytest.mark.parametrize("key", ["authorizationServerUri", "resource"])
def test_made_up_secrets_are_not_checked(key: str) -> None:
    declared = oauth2("https://a.example") | {key: "http://{{env.ISSUER}}.example"}
    assert host(plain(authentication=declared), mock=True).warnings == ()


@pytest.mark.parametrize("missing", ["jwt", "cryptography"])
def test_missing_dependencies(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith((f"{missing}.", "jwt.")) or name in (
            "jwt",
            "adapter_host.auth.oauth2.jwt_verifier",
            "adapter_host.auth.oauth2.key_set",
        ):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    (problem,) = problems()
    assert problem.code == "missing-dependency"
    assert ".authentication.type: " in problem.message
    assert "(pip install 'adapter-host-core[oauth2]')" in problem.message
    assert problems(**INTROSPECTION) == []


def test_oauth2_is_imported_only_when_used() -> None:
    code = "import sys, adapter_host.auth.compile; sys.exit('jwt' in sys.modules or 'cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_client_secret_is_not_in_repr() -> None:
    assert "s3cr3t" not in repr(Client("me", "s3cr3t"))
