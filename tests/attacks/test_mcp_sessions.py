"""A session of MCP belongs to the principal that opened it: its id is no credential for anybody else."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import mcp_types as types
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server

from adapter_host import PRINCIPAL, Plugins, Principal, RegisterExposer, attach, hookimpl
from adapter_host.testing import FakePlugin, Running, running
from adapter_host.testing.running import build_host
from adapter_host_mcp.exposer import McpExposer
from adapter_host_mcp.session_key import KEY_VARIABLE
from tests.support.authorization_server import AUDIENCE, Issuer, issuing

VERSION = "2025-11-25"
STATELESS = "2026-07-28"
ACCEPT = {"Accept": "application/json, text/event-stream"}
CLIENT_INFO = {"name": "test", "version": "1"}
ONE_KEY = {KEY_VARIABLE: "k" * 32}
CONSENT = types.InputRequiredResult(
    input_requests={
        "consent": types.ElicitRequest(
            params=types.ElicitRequestFormParams(
                message="Delete it?", requested_schema={"type": "object", "properties": {"yes": {"type": "boolean"}}}
            )
        )
    },
    request_state="asked",
)
CAPABILITIES: dict[str, Any] = {"elicitation": {"form": {}}}

Headers = dict[str, str]


def document(authentication: dict[str, Any] | None = None) -> dict[str, Any]:
    exposer = {
        "type": "mcp",
        "namespace": "shop",
        "port": 0,
        "tools": [{"name": "list-items", "description": "Lists items", "call": "stock.list"}],
        **({"authentication": authentication} if authentication else {}),
    }
    consumes = [{"type": "fake", "namespace": "stock", "operations": [{"name": "list"}]}]
    return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": consumes, "exposes": [exposer]}}


class HandlingExposer(McpExposer):
    """An exposer with handlers that request the client's roots, detach their stream, or ask for consent."""

    def build_server(self) -> Server[None]:
        server = super().build_server()
        self.proceed = asyncio.Event()

        async def call(
            context: ServerRequestContext[None], params: types.CallToolRequestParams
        ) -> types.CallToolResult | types.InputRequiredResult:
            if params.name == "delete":
                return CONSENT if params.request_state is None else _text(str(params.request_state))
            if params.name == "wait":
                assert context.close_sse_stream is not None
                await context.close_sse_stream()
                await self.proceed.wait()
                return _text("done")
            result = await context.session.send_request(types.ListRootsRequest(), types.ListRootsResult)
            return _text(*(str(root.uri) for root in result.roots))

        server.add_request_handler("tools/call", types.CallToolRequestParams, call)
        return server


def _text(*lines: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=line) for line in lines])


class HandlingPlugin:
    """The plugin of `HandlingExposer`."""

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("mcp", HandlingExposer)


class Caller:
    """A client with credentials, and the session that it sends."""

    def __init__(self, client: aiohttp.ClientSession, url: str, credentials: Headers | None = None) -> None:
        self.client, self.url = client, url
        self.headers = {**ACCEPT, "MCP-Protocol-Version": VERSION, **(credentials or {})}

    async def initialize(self) -> str:
        """Open a session, send it from now on, and return its id."""
        self.headers.pop("Mcp-Session-Id", None)
        params: dict[str, Any] = {"protocolVersion": VERSION, "capabilities": {"roots": {}}, "clientInfo": CLIENT_INFO}
        async with self.post("initialize", **params) as response:
            assert response.status == 200
            self.headers["Mcp-Session-Id"] = response.headers["Mcp-Session-Id"]
        return self.headers["Mcp-Session-Id"]

    def with_session_of(self, other: Caller) -> Caller:
        self.headers["Mcp-Session-Id"] = other.headers["Mcp-Session-Id"]
        return self

    def post(self, method: str, request_id: int | None = 1, **params: Any) -> Any:
        numbered = {} if request_id is None else {"id": request_id}
        message = {"jsonrpc": "2.0", **numbered, "method": method, "params": params}
        return self.client.post(self.url, json=message, headers=self.headers)

    async def ping(self) -> int:
        return await self.status_of("ping")

    async def cancel(self, request_id: int) -> int:
        return await self.status_of("notifications/cancelled", None, requestId=request_id)

    async def status_of(self, method: str, request_id: int | None = 1, **params: Any) -> int:
        async with self.post(method, request_id, **params) as response:
            return int(response.status)

    async def delete(self) -> int:
        async with self.client.delete(self.url, headers=self.headers) as response:
            return response.status

    async def listen(self, **headers: str) -> int:
        async with self.client.get(self.url, headers={**self.headers, **headers}) as response:
            return response.status


class Host:
    """A host whose callers have tokens of one authorization server."""

    def __init__(self, served: Running, issuer: Issuer, client: aiohttp.ClientSession) -> None:
        self.served, self._issuer, self._client = served, issuer, client

    def caller(self, **claims: Any) -> Caller:
        token = self._issuer.token(aud=AUDIENCE, **claims)
        return Caller(self._client, self.served.url("shop"), {"Authorization": f"Bearer {token}"})

    @property
    def exposer(self) -> HandlingExposer:
        (status,) = self.served.host.status()
        assert isinstance(status.exposer, HandlingExposer)
        return status.exposer


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as issuer:
        yield issuer


@pytest.fixture
def serve(issuer: Issuer, client: aiohttp.ClientSession) -> Callable[..., Any]:
    @asynccontextmanager
    async def serve(*, handlers: bool = False) -> AsyncIterator[Host]:
        authentication = {"type": "oauth2", "authorizationServerUri": issuer.url, "resource": AUDIENCE}
        plugins = Plugins({"mcp": HandlingPlugin(), "fake": FakePlugin()}) if handlers else None
        async with running(document(authentication), plugins=plugins, environment=ONE_KEY) as served:
            yield Host(served, issuer, client)

    return serve


@pytest.fixture
async def host(serve: Any) -> AsyncIterator[Host]:
    async with serve() as host:
        yield host


@pytest.fixture
async def handling_host(serve: Any) -> AsyncIterator[Host]:
    async with serve(handlers=True) as host:
        yield host


async def test_only_its_principal_cancels_a_call(host: Host) -> None:
    alice, mallory = host.caller(sub="alice"), host.caller(sub="mallory")
    await alice.initialize()
    began, proceed = asyncio.Event(), asyncio.Event()

    async def respond(_: dict[str, Any]) -> list[str]:
        began.set()
        await proceed.wait()
        return ["a"]

    host.served.fake("stock").responses["list"] = respond
    calling = asyncio.create_task(alice.status_of("tools/call", 7, name="list-items"))
    await began.wait()
    assert await mallory.with_session_of(alice).cancel(7) == 404
    assert await host.caller(sub="mallory").cancel(7) == 202
    proceed.set()
    assert await calling == 200
    began.clear()
    proceed.clear()
    calling = asyncio.create_task(alice.status_of("tools/call", 7, name="list-items"))
    await began.wait()
    assert await alice.cancel(7) == 202
    assert await calling == 202


async def test_only_its_principal_ends_a_session(host: Host) -> None:
    alice, mallory = host.caller(sub="alice"), host.caller(sub="mallory")
    await alice.initialize()
    assert await mallory.with_session_of(alice).delete() == 404
    assert await alice.ping() == 200
    assert await alice.delete() == 204
    assert (await alice.ping(), await mallory.ping()) == (404, 404)


async def test_session_of_another_is_like_a_deleted_one(host: Host) -> None:
    alice, mallory = host.caller(sub="alice"), host.caller(sub="mallory")
    await alice.initialize()
    async with mallory.with_session_of(alice).post("ping") as response:
        of_another = await response.read()
    await mallory.initialize()
    assert await mallory.delete() == 204
    async with mallory.post("ping") as response:
        assert (await response.read(), response.status) == (of_another, 404)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {"name": "list-items"}),
        ("tools/list", {}),
        ("initialize", {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": CLIENT_INFO}),
        # Messages that the SDK handles.
        ("logging/setLevel", {"level": "debug"}),
        ("tools/call", {"name": "no-such-tool"}),
        ("notifications/roots/list_changed", {"_meta": 7}),
    ],
)
async def test_every_message_with_a_session_of_another_is_refused(
    host: Host, method: str, params: dict[str, Any]
) -> None:
    alice, mallory = host.caller(sub="alice"), host.caller(sub="mallory")
    await alice.initialize()
    number = None if method.startswith("notifications/") else 1
    assert await mallory.with_session_of(alice).status_of(method, number, **params) == 404
    assert await alice.status_of(method, number, **params) in (200, 202)


async def test_only_its_principal_listens_in_a_session(host: Host) -> None:
    alice, mallory = host.caller(sub="alice"), host.caller(sub="mallory")
    await alice.initialize()
    assert await mallory.with_session_of(alice).listen() == 404
    assert await alice.listen() == 200


async def test_only_its_principal_resumes_a_stream(handling_host: Host) -> None:
    alice, mallory = handling_host.caller(sub="alice"), handling_host.caller(sub="mallory")
    await alice.initialize()
    async with alice.post("tools/call", name="wait") as response:
        event_id = (await response.read()).split(b"\n")[0].removeprefix(b"id: ").decode()
    handling_host.exposer.proceed.set()
    assert await mallory.with_session_of(alice).listen(**{"Last-Event-ID": event_id}) == 404
    # In a session of her own, the event id means nothing.
    await mallory.initialize()
    async with mallory.client.get(mallory.url, headers={**mallory.headers, "Last-Event-ID": event_id}) as response:
        assert await response.content.readline() == b":\n"
    async with alice.client.get(alice.url, headers={**alice.headers, "Last-Event-ID": event_id}) as response:
        assert b'"text":"done"' in await response.read()


async def test_only_its_principal_responds_to_a_request_of_the_server(handling_host: Host) -> None:
    alice, mallory = handling_host.caller(sub="alice"), handling_host.caller(sub="mallory")
    await alice.initialize()
    mallory.with_session_of(alice)
    async with alice.post("tools/call", name="ask") as response:
        while not (line := await response.content.readline()).startswith(b"data: "):
            assert line
        request_id = line.split(b'"id":"')[1].split(b'"')[0].decode()
        for caller, status in ((mallory, 404), (alice, 202)):
            roots = {"jsonrpc": "2.0", "id": request_id, "result": {"roots": [{"uri": f"file:///{status}"}]}}
            async with caller.client.post(caller.url, json=roots, headers=caller.headers) as sent:
                assert sent.status == status
        assert b'"text":"file:///202"' in await response.read()


async def test_only_its_principal_continues_a_request_with_state(handling_host: Host) -> None:
    alice, mallory = handling_host.caller(sub="alice"), handling_host.caller(sub="mallory")

    async def call(caller: Caller, **params: Any) -> Any:
        meta = {"protocolVersion": STATELESS, "clientCapabilities": CAPABILITIES, "clientInfo": CLIENT_INFO}
        prefixed = {f"io.modelcontextprotocol/{name}": value for name, value in meta.items()}
        caller.headers |= {"MCP-Protocol-Version": STATELESS, "Mcp-Method": "tools/call", "Mcp-Name": "delete"}
        async with caller.post("tools/call", name="delete", _meta=prefixed, **params) as response:
            return await response.json()

    asked = (await call(alice))["result"]
    agreed = {"consent": {"action": "accept", "content": {"yes": True}}}
    retry = {"requestState": asked["requestState"], "inputResponses": agreed}
    assert (await call(mallory, **retry))["error"]["data"] == {"reason": "invalid_request_state"}
    assert (await call(alice, **retry))["result"]["content"] == [{"type": "text", "text": "asked"}]


@pytest.mark.parametrize(
    ("opens", "other"),
    [
        ({"sub": "alice"}, {"sub": "mallory"}),
        ({"sub": "alice"}, {"sub": None}),
        ({"sub": "alice", "client_id": "editor"}, {"sub": "alice", "client_id": "game"}),
        ({"sub": "alice", "azp": "editor"}, {"sub": "alice"}),
        ({"sub": None, "client_id": "editor"}, {"sub": None, "client_id": "game"}),
        # Tokens without a subject and a client: each is its own principal.
        ({"sub": None, "jti": "1"}, {"sub": None, "jti": "2"}),
    ],
)
async def test_principal_of_a_token_is_its_issuer_subject_and_client(
    host: Host, opens: dict[str, Any], other: dict[str, Any]
) -> None:
    alice, mallory = host.caller(**opens), host.caller(**other)
    await alice.initialize()
    assert (await mallory.with_session_of(alice).ping(), await alice.ping()) == (404, 200)


async def test_session_survives_a_new_token_of_its_principal(host: Host) -> None:
    alice = host.caller(sub="alice", client_id="editor")
    await alice.initialize()
    renewed = host.caller(sub="alice", client_id="editor", scope="read", jti="2", exp=2_000_000_000)
    assert await renewed.with_session_of(alice).delete() == 204
    assert await alice.ping() == 404


async def test_processes_with_one_key_know_the_principal(serve: Any) -> None:
    async with serve() as first, serve() as second:
        alice = first.caller(sub="alice")
        await alice.initialize()
        assert await second.caller(sub="mallory").with_session_of(alice).ping() == 404
        assert await second.caller(sub="alice").with_session_of(alice).delete() == 204
        assert await second.caller(sub="alice").with_session_of(alice).ping() == 404
        assert await second.caller(sub="mallory").with_session_of(alice).ping() == 404


def basic(user: str) -> Headers:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:pw".encode()).decode()}


SECRETS: dict[str, tuple[dict[str, Any] | None, Headers]] = {
    "bearer": ({"type": "bearer", "token": "t0ken"}, {"Authorization": "Bearer t0ken"}),
    "apikey": ({"type": "apikey", "key": "X-Key", "value": "k3y", "in": "header"}, {"X-Key": "k3y"}),
    "basic": ({"type": "basic", "username": "ann", "password": "pw"}, basic("ann")),
    "other-basic": ({"type": "basic", "username": "bob", "password": "pw"}, basic("bob")),
    "digest": ({"type": "digest", "username": "ann", "password": "pw"}, {}),
    "none": (None, {}),
}


@asynccontextmanager
async def serving_secret(kind: str) -> AsyncIterator[Caller]:
    """Serve an exposer with shared secrets; yield a caller that has them."""
    authentication, headers = SECRETS[kind]
    digest = [aiohttp.DigestAuthMiddleware("ann", "pw")] if kind == "digest" else []
    async with (
        running(document(authentication), environment=ONE_KEY) as served,
        aiohttp.ClientSession(middlewares=digest) as client,
    ):
        yield Caller(client, served.url("shop"), headers)


@pytest.mark.parametrize("kind", SECRETS)
async def test_session_works_with_every_kind_of_authentication(kind: str) -> None:
    async with serving_secret(kind) as ann:
        session_id = await ann.initialize()
        content = base64.urlsafe_b64decode(session_id + "=" * (-len(session_id) % 4))
        assert [secret for secret in (b"ann", b"pw", b"t0ken", b"k3y") if secret in content] == []
        assert await ann.ping() == 200
        if kind not in ("none", "digest"):
            async with aiohttp.ClientSession() as client:
                stranger = Caller(client, ann.url).with_session_of(ann)
                assert (await stranger.ping(), await stranger.delete(), await stranger.listen()) == (401, 401, 401)
        assert await ann.delete() == 204
        assert await ann.ping() == 404


@pytest.mark.parametrize(
    ("kind", "other"), [("basic", "other-basic"), ("basic", "none"), ("none", "bearer"), ("bearer", "digest")]
)
async def test_session_is_unknown_where_the_caller_is_another_principal(kind: str, other: str) -> None:
    async with serving_secret(kind) as opener, serving_secret(other) as user:
        await opener.initialize()
        assert await user.with_session_of(opener).ping() == 404
        assert await opener.ping() == 200


async def test_session_belongs_to_the_principal_of_an_outer_application(client: aiohttp.ClientSession) -> None:
    @web.middleware
    async def log_in(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[PRINCIPAL] = Principal(request.headers["X-User"])
        return await handler(request)

    app = web.Application(middlewares=[log_in])
    attach(app, build_host(document()), prefix="/api")
    async with TestServer(app) as server:
        url = str(server.make_url("/api/shop/mcp"))
        alice, mallory = (Caller(client, url, {"X-User": user}) for user in ("alice", "mallory"))
        await alice.initialize()
        assert await mallory.with_session_of(alice).delete() == 404
        assert await alice.ping() == 200
