"""Digest authentication, against a server that verifies it as RFC 7616 requires."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from multidict import CIMultiDict

from adapter_host import UpstreamStatusError

DIGEST = {"type": "digest", "username": "me", "password": "{{PASSWORD}}"}
SECRETS = {"PASSWORD": "s3:c&t é"}
HASHES: dict[str, Callable[[bytes], Any]] = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


@dataclass
class DigestServer:
    """Requires digest authentication; a nonce is stale after `stale_after` uses."""

    algorithm: str = "SHA-256"
    qop: str = "auth"
    extra: str = ""
    stale_after: int = 1000
    nonces: int = 0
    counts: dict[str, list[str]] = field(default_factory=dict)
    password: str = SECRETS["PASSWORD"]

    async def __call__(self, request: web.Request) -> web.Response:
        parameters = dict(re.findall(r'(\w+)="?([^",]*)"?', request.headers.get("Authorization", "").partition(" ")[2]))
        if not parameters:
            return self.refuse()
        uses = self.counts.setdefault(parameters["nonce"], [])
        assert parameters["uri"] == request.rel_url.raw_path_qs
        if parameters["response"] != self.proof(request, parameters):
            return self.refuse()
        if len(uses) == self.stale_after:
            return self.refuse(", stale=true")
        assert parameters.get("nc", "") not in uses
        uses.append(parameters.get("nc", str(len(uses))))
        return web.json_response({"nc": parameters.get("nc")})

    def proof(self, request: web.Request, parameters: dict[str, str]) -> str:
        name = self.algorithm.removesuffix("-sess")

        def digest(*parts: str) -> str:
            return str(HASHES[name](":".join(parts).encode()).hexdigest())

        a1 = digest("me", "ships", self.password)
        if name != self.algorithm:
            a1 = digest(a1, parameters["nonce"], parameters["cnonce"])
        a2 = digest(request.method, parameters["uri"])
        if not self.qop:
            return digest(a1, parameters["nonce"], a2)
        return digest(a1, parameters["nonce"], parameters["nc"], parameters["cnonce"], "auth", a2)

    def refuse(self, extra: str = "") -> web.Response:
        self.nonces += 1
        qop = f', qop="{self.qop}"' if self.qop else ""
        text = f'Digest realm="ships", nonce="n{self.nonces}", algorithm={self.algorithm}{qop}{self.extra}{extra}'
        headers = CIMultiDict([("WWW-Authenticate", 'Basic realm="a, b"'), ("WWW-Authenticate", text)])
        return web.Response(status=401, body=b"x" * 100_000, headers=headers)


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5", "SHA-256-sess", "MD5-sess"])
@pytest.mark.parametrize("qop", ["auth", "auth-int, auth", ""])
@pytest.mark.shows("AuthDigest", "type", "username", "password")
async def test_digest_authentication(start: Any, api: Any, algorithm: str, qop: str) -> None:
    api.reply = DigestServer(algorithm, qop, ', opaque="o\\"p"')
    operation = {"inputParameters": [{"name": "q", "in": "query"}]}
    call = await start(operation, path="/{id}", authentication=DIGEST, secrets=SECRETS)
    expected = "00000001" if qop else None
    assert await call(id="a b", q="c/d") == {"nc": expected}
    assert [seen.headers.get("Authorization", "")[:7] for seen in api.requests] == ["", "Digest "]
    assert 'opaque="o\\"p"' in api.last.headers["Authorization"]
    assert SECRETS["PASSWORD"] not in api.last.headers["Authorization"]


async def test_challenge_is_reused(start: Any, api: Any) -> None:
    api.reply = DigestServer()
    call = await start({"method": "POST", "body": {"a": 1}}, authentication=DIGEST, secrets=SECRETS)
    assert [(await call())["nc"] for _ in range(3)] == ["00000001", "00000002", "00000003"]
    assert len(api.requests) == 4
    assert {seen.body for seen in api.requests} == {b'{"a":1}'}


async def test_stale_nonce_is_replaced(start: Any, api: Any) -> None:
    api.reply = DigestServer(stale_after=2)
    call = await start(authentication=DIGEST, secrets=SECRETS)
    assert [(await call())["nc"] for _ in range(4)] == ["00000001", "00000002", "00000001", "00000002"]
    assert len(api.requests) == 6


async def test_concurrent_calls_use_different_nonce_counts(start: Any, api: Any) -> None:
    digest_server = api.reply = DigestServer()
    call = await start(authentication=DIGEST, secrets=SECRETS)
    await asyncio.gather(*(call() for _ in range(20)))
    assert all(len(set(uses)) == len(uses) for uses in digest_server.counts.values())


async def test_wrong_password_is_the_401_of_the_api(start: Any, api: Any) -> None:
    api.reply = DigestServer(password="other")
    call = await start(authentication=DIGEST, secrets=SECRETS)
    for _ in range(2):
        with pytest.raises(UpstreamStatusError) as caught:
            await call()
        assert (caught.value.upstream_status, len(caught.value.body)) == (401, 100_000)
    assert len(api.requests) == 4


async def test_unsupported_challenge_is_logged(start: Any, api: Any, caplog: pytest.LogCaptureFixture) -> None:
    api.reply = DigestServer(qop="auth-int")
    call = await start(authentication=DIGEST, secrets=SECRETS)
    with pytest.raises(UpstreamStatusError):
        await call()
    assert "upstream 'api': no supported digest challenge (needs qop=auth with SHA-256 or MD5)" in caplog.messages
    assert len(api.requests) == 1


async def test_redirect_is_authorized_for_its_own_path(start: Any, api: Any) -> None:
    digest_server = DigestServer()

    async def reply(request: web.Request) -> web.Response:
        response = await digest_server(request)
        if response.status == 401 or request.path == "/there":
            return response
        return web.Response(status=302, headers={"Location": "/there"})

    api.reply = reply
    assert await (await start(authentication=DIGEST, secrets=SECRETS))() == {"nc": "00000002"}


async def test_header_argument_overrides_the_digest(start: Any, api: Any) -> None:
    api.reply = DigestServer()
    named = {"name": "Authorization", "in": "header"}
    call = await start({"inputParameters": [named]}, authentication=DIGEST, secrets=SECRETS)
    assert await call() == {"nc": "00000001"}
    with pytest.raises(UpstreamStatusError):
        await call(Authorization='Digest nonce="n1", uri="/things", response="x"')
    assert 'response="x"' in api.last.headers["Authorization"]


async def test_descriptions_contain_no_password(start: Any) -> None:
    call = await start(authentication=DIGEST, secrets=SECRETS)
    assert call.operation.describe()["authentication"] == "digest me:{{env.PASSWORD}}"
    assert call.operation.preview({})["headers"]["Authorization"] == "Digest me:{{env.PASSWORD}}"
    assert "s3" not in repr(call.operation.scope)
