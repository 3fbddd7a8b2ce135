"""A small authorization server: metadata, keys, introspection, and a code flow with automatic consent."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Self

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

CLIENT = ("host id", "s3cr3t/+")
AUDIENCE = "https://api.example/orders"


def private_key(kind: str, name: str = "") -> Any:
    """Return a key; `name` distinguishes keys of one kind."""
    return _made(kind, name)


@cache
def _made(kind: str, _: str) -> Any:
    if kind == "RSA":
        return rsa.generate_private_key(65537, 2048)
    if kind == "weak":
        return rsa.generate_private_key(65537, 1024)
    if kind == "OKP":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key({"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}[kind])


def public_jwk(key: Any, algorithm: str, **members: Any) -> dict[str, Any]:
    """Return the public half of a key as a JWK."""
    jwk: dict[str, Any] = get_default_algorithms()[algorithm].to_jwk(key.public_key(), as_dict=True)
    jwk.pop("key_ops", None)
    return {**jwk, **members}


class Now(float):
    """A time in a claim, in seconds from the creation of the token."""


def resolved(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims with their times, without those that are None."""
    times = {name: time.time() + value for name, value in claims.items() if isinstance(value, Now)}
    return {name: value for name, value in {**claims, **times}.items() if value is not None}


class Issuer:
    """A server with configurable `responses`; `asked` counts requests by path, `forms` records their bodies."""

    def __init__(self, path: str = "", well_known: str = "/.well-known/oauth-authorization-server{path}") -> None:
        self._path = path
        self._well_known = well_known.format(path=path)
        self.url = ""
        self.metadata: dict[str, Any] = {}
        self.keys: list[dict[str, Any]] = [public_jwk(private_key("P-256"), "ES256", kid="one")]
        self.introspected: dict[str, dict[str, Any]] = {}
        self.responses: dict[str, web.Response] = {}
        self.asked: Counter[str] = Counter()
        self.forms: list[dict[str, Any]] = []
        self.reached = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._count])
        app.router.add_get(self._well_known, self._show_metadata)
        app.router.add_get("/keys", self._show_keys)
        app.router.add_post("/introspect", self._introspect)
        app.router.add_post("/register", self._register)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        self._server = TestServer(app)
        await self._server.start_server()
        root = str(self._server.make_url("")).rstrip("/")
        self.url = f"{root}{self._path}"
        names = ("authorize", "token", "register")
        self.metadata = {
            "issuer": self.url,
            "jwks_uri": f"{root}/keys",
            "introspection_endpoint": f"{root}/introspect",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            **{
                {"authorize": "authorization", "register": "registration"}.get(n, n) + "_endpoint": f"{root}/{n}"
                for n in names
            },
        }
        return self

    async def __aexit__(self, *_: object) -> None:
        self.open.set()
        await self._server.close()

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Return the claims of a valid token, without those changed to None."""
        now = int(time.time())
        right = {"iss": self.url, "aud": AUDIENCE, "sub": "ann", "exp": now + 60, "iat": now, "scope": "read write"}
        return resolved({**right, **changed})

    def token(
        self, *, kind: str = "P-256", algorithm: str = "ES256", kid: str | None = "one", name: str = "", **changed: Any
    ) -> str:
        """Return a signed token with changed claims."""
        headers = {"kid": kid} if kid is not None else {}
        return jwt.encode(self.claims(**changed), private_key(kind, name), algorithm, headers=headers)

    @web.middleware
    async def _count(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked[request.path] += 1
        self.reached.set()
        await self.open.wait()
        if override := self.responses.get(request.path):
            return web.Response(status=override.status, body=override.body, headers=override.headers)
        response: web.StreamResponse = await handler(request)
        return response

    async def _show_metadata(self, _: web.Request) -> web.Response:
        return web.json_response(self.metadata)

    async def _show_keys(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": self.keys})

    async def _introspect(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Basic " + base64.b64encode(b"host+id:s3cr3t%2F%2B").decode():
            return web.Response(status=401)
        form = dict(await request.post())
        self.forms.append(form)
        return web.json_response(self.introspected.get(str(form["token"]), {"active": False}))

    async def _register(self, request: web.Request) -> web.Response:
        return web.json_response({**await request.json(), "client_id": "registered"}, status=201)

    async def _authorize(self, request: web.Request) -> web.Response:
        self.forms.append(dict(request.query))
        where = f"{request.query['redirect_uri']}?code=agreed&state={request.query['state']}"
        raise web.HTTPFound(where)

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        asked = next(form for form in reversed(self.forms) if "code_challenge" in form)
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
        token = self.token(aud=asked["resource"], scope=asked.get("scope", ""))
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": 60})


@asynccontextmanager
async def issuing(path: str = "", **given: Any) -> AsyncIterator[Issuer]:
    """Serve an authorization server on a loopback port."""
    async with Issuer(path, **given) as issuer:
        yield issuer


def unsigned(claims: dict[str, Any], **header: Any) -> str:
    """Return an unsigned token with a header."""
    parts = (json.dumps(part).encode() for part in (header, claims))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."
