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
from adapter_host_http.auth.digest import Account, Challenge, choose_challenge, parse_challenges

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


RFC = 'realm="http-auth@example.org", qop="auth, auth-int", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'  # noqa: E501


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_examples_of_rfc_7616(algorithm: str, response: str) -> None:
    challenge = choose_challenge([f"Digest {RFC}, algorithm={algorithm}"])
    assert challenge is not None
    account = Account("Mufasa", "Circle of Life")
    header = challenge.header(account, "GET", "/dir/index.html", 1, "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    assert f'response="{response}"' in header
    assert "nc=00000001" in header


def test_hashed_user_name() -> None:
    challenge = Challenge("r", "n", "SHA-256", "auth", userhash=True)
    header = challenge.header(Account("me", "p"), "GET", "/", 1, "c")
    assert f'username="{hashlib.sha256(b"me:r").hexdigest()}"' in header
    assert "userhash=true" in header


@pytest.mark.parametrize(
    ("headers", "chosen"),
    [
        ([f"Digest {RFC}", f"Digest {RFC}, algorithm=SHA-256"], "SHA-256"),
        ([f"Digest {RFC}, algorithm=SHA-512-256, Digest {RFC}, algorithm=md5"], "md5"),
        ([f'Basic realm="Digest, nonce=\\"x\\"", digest {RFC}'], "MD5"),
        (["Negotiate a87421000492aa874209af8bc028==", f"Digest {RFC}"], "MD5"),
        (['Digest realm="r", nonce=""'], None),
        (['Digest nonce="n"'], None),
        (['Digest realm="r", nonce="n", qop="auth-int"'], None),
        (['Digest realm="r", nonce="n", algorithm=SHA'], None),
        (['Digest realm="r\x01", nonce="n"'], None),
        (['Digest realm="r', "", ",,", "Basic", '=, "'], None),
        ([], None),
    ],
)
def test_choose_challenge(headers: list[str], chosen: str | None) -> None:
    challenge = choose_challenge(headers)
    assert (challenge and challenge.algorithm) == chosen


def test_parse_challenges() -> None:
    text = 'A, B c=d , e = "f\\\\g, h=i" C x=1'
    assert list(parse_challenges(text)) == [("a", {}), ("b", {"c": "d", "e": "f\\g, h=i"}), ("c", {"x": "1"})]
