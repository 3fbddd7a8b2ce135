"""Callers: wrappers of plugins see who made a call, through every kind of exposer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from mcp import Client

from adapter_host import (
    PRINCIPAL,
    BuildContext,
    CallContext,
    Host,
    Plugins,
    Principal,
    RefusedRequest,
    Result,
    Settings,
    UpstreamUnreachableError,
    attach,
    current_call,
    hookimpl,
)
from adapter_host.testing import FakePlugin, Running, running
from tests.support.auditing import AUTHENTICATION, KEY, PEER, Audit, LinesPlugin, send_line

CALL = {"name": "get", "call": "api.get"}
API = {"type": "fake", "namespace": "api", "operations": [{"name": "get"}]}


def exposing(exposer: dict[str, Any], **more: Any) -> dict[str, Any]:
    exposed = {"namespace": "front", **exposer, **more}
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Shop"},
        "capability": {"consumes": [API], "exposes": [exposed]},
    }


REST = exposing({"type": "rest", "port": 0, "resources": [{"path": "/it", "operations": [{"method": "GET", **CALL}]}]})
MCP = exposing({"type": "mcp", "port": 0, "tools": [CALL]})
LINES = exposing({"type": "lines", "operations": [CALL]})
HEADERS = {"X-Key": KEY}


def secured(document: dict[str, Any]) -> dict[str, Any]:
    return exposing(document["capability"]["exposes"][0], authentication=AUTHENTICATION)


def installed(audit: Audit) -> Plugins:
    plugins = Plugins.installed()
    plugins.register("calls", audit)
    plugins.register("lines", LinesPlugin())
    plugins.register("fake", FakePlugin())
    return plugins


@pytest.fixture
def audit() -> Audit:
    return Audit()


@asynccontextmanager
async def serving(document: dict[str, Any], audit: Audit, **settings: Any) -> AsyncIterator[Running]:
    async with running(document, plugins=installed(audit), **settings) as served:
        yield served


async def get(url: str, headers: dict[str, str] | None = None) -> tuple[int, Any, str | None]:
    """Return the status, the JSON and the request id of a response."""
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status, await response.json(content_type=None), response.headers.get("X-Request-Id")


def check(audit: Audit, **expected: Any) -> CallContext:
    """Check the only recorded caller; return it."""
    (call,) = audit.calls
    assert audit.consumed == [call]
    default: dict[str, Any] = {"capability": "Shop", "exposer": "front", "principal": Principal()}
    for name, value in {**default, **expected}.items():
        assert getattr(call, name) == value, name
    assert len(call.request_id) == 16
    return call


async def test_rest(audit: Audit) -> None:
    async with serving(secured(REST), audit) as served:
        assert (await get(f"{served.url('front')}/it", HEADERS))[0] == 200
        assert (await get(f"{served.url('front')}/it"))[0] == 401
    check(audit, exposer_type="rest", transport="http", client_address=PEER)


class Refusals:
    """Records requests that access checks refuse."""

    def __init__(self, error: Exception | None = None) -> None:
        self.seen: list[RefusedRequest] = []
        self.error = error

    @hookimpl
    def access_refused(self, context: BuildContext) -> Callable[[RefusedRequest], None]:
        def observe(refused: RefusedRequest) -> None:
            self.seen.append(refused)
            if self.error is not None:
                raise self.error

        return observe


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "missing-credentials"),
        ({"X-Key": "wrong"}, 401, "invalid-credentials"),
        ({**HEADERS, "Host": "evil.example"}, 421, "host-not-allowed"),
        ({**HEADERS, "Host": "a b"}, 400, "malformed-host"),
        ({**HEADERS, "Origin": "https://evil.example"}, 403, "origin-not-allowed"),
        ({**HEADERS, "Origin": "evil"}, 403, "malformed-origin"),
    ],
)
async def test_refused_request(audit: Audit, headers: dict[str, str], status: int, code: str) -> None:
    refusals, plugins = Refusals(), installed(audit)
    plugins.register("refusals", refusals)
    async with running(secured(REST), plugins=plugins) as served:
        assert (await get(f"{served.url('front')}/it", HEADERS))[0] == 200
        received_status, _, request_id = await get(f"{served.url('front')}/it", headers)
    (refused,) = refusals.seen
    call, refusal = refused.call, refused.refusal
    assert (received_status, refusal.status, refusal.code, call.request_id) == (status, status, code, request_id)
    assert (refused.method, refused.path, refused.authentication) == ("GET", "/it", "apikey")
    assert (call.capability, call.exposer, call.transport) == ("Shop", "front", "http")
    assert (call.principal, call.client_address) == (None, PEER)
    assert len(audit.calls) == 1


async def test_refused_request_of_an_own_listener(audit: Audit) -> None:
    refusals, plugins = Refusals(), installed(audit)
    plugins.register("refusals", refusals)
    async with running(secured(LINES), plugins=plugins) as served:
        await send_line(served.url("front"), headers={}, arguments={})
    (refused,) = refusals.seen
    call, refusal = refused.call, refused.refusal
    assert (refused.method, refused.path, refused.authentication) == (None, None, "apikey")
    assert (call.exposer, call.transport, call.client_address, refusal.status) == ("front", "lines", PEER, 401)


async def test_failed_observer_refuses_all_the_same(audit: Audit, caplog: pytest.LogCaptureFixture) -> None:
    plugins = installed(audit)
    plugins.register("refusals", Refusals(OSError("the disk is full")))
    async with running(secured(REST), plugins=plugins) as served:
        assert (await get(f"{served.url('front')}/it"))[0] == 401
    assert "a plugin failed to observe a refused request" in caplog.text
    assert audit.calls == []


async def test_principal_is_known_after_a_line_of_the_access_check(audit: Audit) -> None:
    plugins = installed(audit)
    plugins.register("early", Early())
    async with running(secured(REST), plugins=plugins) as served:
        assert (await get(f"{served.url('front')}/it", HEADERS))[0] == 200
    check(audit)


class Early:
    """Reads the context of a call before the access check has ended."""

    @hookimpl
    def http_middlewares(self) -> list[Any]:
        @web.middleware
        async def early(request: web.Request, handler: Any) -> web.StreamResponse:
            principal = request._state.pop(PRINCIPAL)
            assert current_call().principal is None
            request[PRINCIPAL] = principal
            response: web.StreamResponse = await handler(request)
            return response

        return [early]


async def test_request_id_is_that_of_the_error_response(audit: Audit) -> None:
    def fail(_: Any) -> Any:
        raise UpstreamUnreachableError("nobody there")

    async with serving(REST, audit) as served:
        served.fake("api").responses["get"] = fail
        status, _, request_id = await get(f"{served.url('front')}/it")
    assert status == 502
    assert request_id == check(audit, principal=None).request_id


async def test_requests_of_one_connection_are_different_calls(audit: Audit) -> None:
    async with serving(REST, audit) as served, aiohttp.ClientSession() as session:
        for _ in range(3):
            async with session.get(f"{served.url('front')}/it") as response:
                await response.read()
    assert len({call.request_id for call in audit.calls}) == 3


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_mcp(audit: Audit, mode: str) -> None:
    from httpx2 import AsyncClient
    from mcp.client.streamable_http import streamable_http_client

    async with serving(secured(MCP), audit) as served, AsyncClient(headers=HEADERS) as http:
        transport = streamable_http_client(served.url("front"), http_client=http)
        async with Client(transport, mode=mode) as client:
            assert not (await client.call_tool("get", {})).is_error
    check(audit, exposer_type="mcp", transport="http", client_address=PEER)


async def test_mcp_over_stdio(audit: Audit) -> None:
    from adapter_host_mcp.exposer import McpExposer
    from adapter_host_mcp.sdk import stdio
    from adapter_host_mcp.sdk.handlers import add_tool_calls

    document = exposing({"type": "mcp", "transport": "stdio", "tools": [CALL]})
    async with Host(document, plugins=installed(audit), settings=Settings(environment={})) as host:
        exposer = host.status()[0].exposer
        assert isinstance(exposer, McpExposer)
        server = exposer.build_server()
        add_tool_calls(server, exposer.tools, lambda sent: exposer.context.call("stdio", request_id=sent))
        (source, to_server), (from_server, sink) = os.pipe(), os.pipe()
        serving_client = asyncio.create_task(stdio.serve(server, source, sink, 10_000))
        assert all("result" in response for response in await asyncio.to_thread(talk, to_server, from_server))
        await serving_client
        os.close(sink)
    check(audit, exposer_type="mcp", transport="stdio", client_address=None, principal=None)


def talk(to_server: int, from_server: int) -> list[Any]:
    """Call the tool; return the responses."""
    received = []
    with open(to_server, "wb", buffering=0) as requests, open(from_server, "rb") as responses:
        for message in INITIALIZE, {"id": 2, "method": "tools/call", "params": {"name": "get"}}:
            requests.write(orjson.dumps({"jsonrpc": "2.0", **message}) + b"\n")
            received.append(orjson.loads(responses.readline()))
    return received


INITIALIZE: dict[str, Any] = {
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}


async def test_own_listener(audit: Audit) -> None:
    async with serving(secured(LINES), audit) as served:
        assert await send_line(served.url("front"), headers={"x-key": KEY}, arguments={}) == {}
        assert await send_line(served.url("front"), arguments={}) == "valid credentials are required"
    check(audit, exposer_type="lines", transport="tcp", client_address=PEER)


async def test_own_listener_of_the_host(audit: Audit) -> None:
    document = exposing({"type": "echo", "port": 0, "operations": [CALL]})
    async with serving(document, audit) as served:
        host, _, port = served.url("front").removeprefix("tcp://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for _ in range(2):
            writer.write(b"get\n")
            assert orjson.loads(await reader.readline()) == {"result": {}}
        writer.close()
    first, second = audit.calls
    assert first.request_id != second.request_id
    assert (first.exposer, first.exposer_type, first.transport, first.client_address) == ("front", "echo", "echo", PEER)


async def test_own_listener_without_scopes(audit: Audit) -> None:
    document = exposing({"type": "bare-lines", "operations": [CALL]})
    async with serving(document, audit) as served:
        for _ in range(2):
            await send_line(served.url("front"), arguments={})
    first, second = audit.calls
    assert (first.capability, first.exposer, first.exposer_type) == ("Shop", "front", "bare-lines")
    assert (first.transport, first.principal, first.client_address) == ("bare-lines", None, None)
    assert first.request_id != second.request_id


async def test_host_call(audit: Audit) -> None:
    async with serving(REST, audit) as served:
        await served.host.call("front.get")
    check(audit, exposer=None, exposer_type=None, transport="host", principal=None, client_address=None)


async def test_host_call_for_a_caller_of_the_application(audit: Audit) -> None:
    ada = Principal("ada")
    async with serving(REST, audit) as served:
        await served.host.call("front.get", principal=ada, client_address="192.0.2.7", request_id="r-1")
        assert current_call().capability == ""
    (call,) = audit.calls
    assert (call.principal, call.client_address, call.request_id) == (ada, "192.0.2.7", "r-1")


async def test_call_of_the_host_within_a_call(audit: Audit) -> None:
    seen: list[CallContext] = []
    async with serving(REST, audit) as served:

        async def call_again(arguments: dict[str, Any]) -> Result:
            if len(audit.consumed) == 1:
                await served.host.call("api.get")
                seen.append(current_call())
            return Result(data={})

        served.fake("api").responses["get"] = call_again
        await get(f"{served.url('front')}/it")
    outer, inner = audit.consumed
    assert (outer.transport, inner.transport) == ("http", "host")
    assert seen == [outer] == audit.calls


@pytest.mark.parametrize("authenticated", [False, True])
async def test_attached(audit: Audit, authenticated: bool) -> None:
    @web.middleware
    async def authenticate(request: web.Request, handler: Callable[..., Any]) -> Any:
        request[PRINCIPAL] = Principal("user of the application")
        return await handler(request)

    app = web.Application(middlewares=[authenticate])
    document = secured(REST) if authenticated else REST
    attach(app, Host(document, plugins=installed(audit), settings=Settings(environment={})), prefix="/apis")
    async with TestServer(app) as server:
        assert (await get(str(server.make_url("/apis/front/it")), HEADERS))[0] == 200
    principal = Principal() if authenticated else Principal("user of the application")
    check(audit, exposer_type="rest", transport="http", client_address=PEER, principal=principal)


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ([], PEER),
        (["192.0.2.7"], "192.0.2.7"),
        (["203.0.113.9, 192.0.2.7"], "192.0.2.7"),
        (["203.0.113.9", "192.0.2.7, 10.0.0.3"], "192.0.2.7"),
        (["10.0.0.4, 10.0.0.3"], "10.0.0.4"),
        (["[2001:db8::7]:4711"], "2001:db8::7"),
        (["2001:db8::7"], "2001:db8::7"),
        (["192.0.2.7:4711"], "192.0.2.7"),
        (["192.0.2.7, unknown"], PEER),
        (["192.0.2.7, "], PEER),
    ],
    ids=str,
)
async def test_client_behind_trusted_proxies(audit: Audit, forwarded: list[str], expected: str) -> None:
    async with serving(REST, audit, trusted_proxies=("127.0.0.0/8", "10.0.0.0/8")) as served:
        headers = [("X-Forwarded-For", line) for line in forwarded]
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{served.url('front')}/it", headers=headers) as response,
        ):
            assert response.status == 200
    check(audit, principal=None, client_address=expected)


async def test_clients_cannot_forge_their_address(audit: Audit) -> None:
    async with serving(REST, audit) as served:
        await get(f"{served.url('front')}/it", {"X-Forwarded-For": "192.0.2.7"})
    check(audit, principal=None, client_address=PEER)


def test_outside_of_a_call() -> None:
    first, second = current_call(), current_call()
    assert first == CallContext(request_id=first.request_id)
    assert first.request_id != second.request_id
