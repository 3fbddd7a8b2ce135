"""A host as an ASGI application, on uvicorn and hypercorn, alone and mounted in Starlette and FastAPI."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import pytest
from aiohttp import web
from mcp import Client
from multidict import CIMultiDict
from starlette.applications import Starlette
from starlette.routing import Mount

from adapter_host import (
    Host,
    HttpExposer,
    HttpExposerConfig,
    Plugins,
    Principal,
    ProblemsError,
    RegisterExposer,
    Result,
    Settings,
    StartError,
    UpstreamTimeoutError,
    attach,
    hookimpl,
    root_path,
)
from adapter_host.testing import FakePlugin, Running
from tests.support.asgi_servers import PLACES, SERVERS, asgi_serving, uvicorn_serving
from tests.support.auditing import AUTHENTICATION, KEY, PEER, Audit

CALLS = [
    {"method": "GET", "name": "get", "call": "api.get"},
    {"method": "POST", "name": "put", "call": "api.put", "inputParameters": [{"name": "body", "in": "body"}]},
]
REST = {"type": "rest", "namespace": "shop", "port": 0, "resources": [{"path": "/it", "operations": CALLS}]}
MCP = {"type": "mcp", "namespace": "tools", "port": 0, "tools": [{"name": "get", "call": "api.get"}]}
API = {
    "type": "fake",
    "namespace": "api",
    "operations": [{"name": "get"}, {"name": "put", "inputParameters": [{"name": "body", "in": "body"}]}],
}
TEXT = "text/plain"


class OddExposer(HttpExposer[HttpExposerConfig]):
    """Responses of every kind that aiohttp has, as an exposer of somebody else may send them."""

    public_paths = frozenset({"/.well-known/odd.json"})
    file = Path(__file__)

    def build_app(self) -> web.Application:
        app = web.Application()
        for name in ("file", "gzip", "compressed", "cookies", "empty", "fails", "late", "splits", "raises", "root"):
            app.router.add_get(f"/{name}", getattr(self, f"_{name}"))
        return app

    def origin_routes(self) -> Any:
        return {"/.well-known/odd.json": self._root}

    async def _file(self, _: web.Request) -> web.StreamResponse:
        return web.FileResponse(self.file)

    async def _gzip(self, _: web.Request) -> web.StreamResponse:
        response = web.Response(text="x" * 5000)
        response.enable_compression(web.ContentCoding.gzip)
        return response

    async def _compressed(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_compression(web.ContentCoding.deflate)
        await response.prepare(request)
        for _ in range(3):
            await response.write(b"y" * 1000)
        return response

    async def _cookies(self, request: web.Request) -> web.StreamResponse:
        response = web.json_response({name: request.cookies[name] for name in sorted(request.cookies)})
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    async def _empty(self, _: web.Request) -> web.StreamResponse:
        return web.Response(status=204)

    async def _fails(self, _: web.Request) -> web.StreamResponse:
        raise web.HTTPConflict(text="conflict")

    async def _raises(self, _: web.Request) -> web.StreamResponse:
        raise ValueError("secret detail")

    async def _late(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begun")
        raise ValueError("secret detail")

    async def _splits(self, _: web.Request) -> web.StreamResponse:
        return web.Response(headers=CIMultiDict({"X-Split": "a\x00b"}))

    async def _root(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"root": root_path(request), "path": request.path, "scheme": request.scheme})


class OddPlugin:
    """The plugin of `type: odd`."""

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("odd", OddExposer)


def host(*exposed: dict[str, Any], audit: Audit | None = None, **settings: Any) -> Host:
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    plugins.register("odd", OddPlugin())
    if audit is not None:
        plugins.register("calls", audit)
    document = {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [API], "exposes": list(exposed or (REST,))}}
    return Host(document, plugins=plugins, settings=Settings(environment={}, **settings))


ODD = {"type": "odd", "namespace": "odd", "port": 0}


def fake(served: Host) -> Any:
    return Running(served).fake("api")


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.mark.parametrize("place", PLACES)
async def test_requests(server: str, place: str, session: aiohttp.ClientSession) -> None:
    async with asgi_serving(host(REST, MCP), server, place) as url:
        async with session.get(f"{url}/shop/it") as response:
            assert (response.status, response.content_type, await response.json()) == (200, "application/json", {})
            assert [len(response.headers.getall(name)) for name in ("Server", "Date")] == [1, 1]
        async with session.post(f"{url}/shop/it", json={"a": "ä" * 100_000}) as response:
            assert await response.json() == {"body": {"a": "ä" * 100_000}}
        async with session.get(f"{url}/shop/other") as response:
            assert (response.status, response.content_type) == (404, "application/problem+json")
        async with session.get(f"{url}/nothing") as response:
            assert (response.status, (await response.json())["detail"]) == (404, "no exposer at this path")
        async with session.head(f"{url}/shop/it") as response:
            assert (response.status, await response.read()) == (200, b"")
        async with Client(f"{url}/tools/mcp") as client:
            assert not (await client.call_tool("get", {})).is_error


async def test_own_routes_of_the_application(session: aiohttp.ClientSession) -> None:
    async with asgi_serving(host(), place="fastapi") as url, session.get(url.replace("/apis", "/own")) as response:
        assert await response.json() == {"own": "application"}


async def test_body_without_length(server: str, session: aiohttp.ClientSession) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b'{"a":'
        yield b"1}"

    headers = {"Content-Type": "application/json"}
    async with asgi_serving(host(), server) as url:
        async with session.post(f"{url}/shop/it", data=body(), headers=headers) as response:
            assert await response.json() == {"body": {"a": 1}}
        compressed = gzip.compress(b'{"a":2}')
        coded = {**headers, "Content-Encoding": "gzip"}
        async with session.post(f"{url}/shop/it", data=compressed, headers=coded) as response:
            assert await response.json() == {"body": {"a": 2}}


async def test_body_limit(server: str, session: aiohttp.ClientSession) -> None:
    async with (
        asgi_serving(host(body_limit=1000), server) as url,
        session.post(f"{url}/shop/it", json={"a": "x" * 2000}) as response,
    ):
        assert (response.status, (await response.json())["title"]) == (413, "Body too large")


async def test_http2(session: aiohttp.ClientSession) -> None:
    async with (
        asgi_serving(host(REST, ODD), "hypercorn") as url,
        httpx2.AsyncClient(http1=False, http2=True) as client,
    ):
        response = await client.get(f"{url}/shop/it")
        assert (response.http_version, response.status_code, response.json()) == ("HTTP/2", 200, {})

        async def body() -> AsyncIterator[bytes]:
            yield b'{"a":'
            yield b"1}"

        headers = {"Content-Type": "application/json"}
        response = await client.post(f"{url}/shop/it", content=body(), headers=headers)
        assert response.json() == {"body": {"a": 1}}
        response = await client.get(f"{url}/odd/cookies", headers=[("Cookie", "x=1"), ("Cookie", "y=2")])
        assert response.json() == {"x": "1", "y": "2"}


async def test_streams_are_live(server: str, session: aiohttp.ClientSession) -> None:
    go_on = asyncio.Event()

    async def events() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        await go_on.wait()
        yield b"data: 2\n\n"

    served = host()
    fake(served).responses["get"] = lambda _: Result(stream=events(), media_type="text/event-stream")
    async with asgi_serving(served, server) as url, session.get(f"{url}/shop/it") as response:
        assert await response.content.readexactly(9) == b"data: 1\n\n"
        go_on.set()
        assert await response.content.read() == b"data: 2\n\n"


async def test_large_streams(server: str, session: aiohttp.ClientSession) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for number in range(200):
            yield bytes([number]) * 65536

    served = host()
    fake(served).responses["get"] = lambda _: Result(stream=chunks(), media_type=TEXT)
    async with asgi_serving(served, server) as url, session.get(f"{url}/shop/it") as response:
        assert await response.read() == b"".join(bytes([number]) * 65536 for number in range(200))


async def test_disconnect_cancels_the_call(server: str, session: aiohttp.ClientSession) -> None:
    served = host()
    hold = fake(served).hold("get")
    async with asgi_serving(served, server) as url:
        calling = asyncio.create_task(session.get(f"{url}/shop/it").__aenter__())
        await hold.entered.wait()
        calling.cancel()
        await hold.cancelled.wait()
        await asyncio.gather(calling, return_exceptions=True)
    assert served.calls == 0


async def test_disconnect_ends_the_stream(server: str, session: aiohttp.ClientSession) -> None:
    async def events() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        await asyncio.Event().wait()

    audit = Audit()
    served = host(audit=audit)
    fake(served).responses["get"] = lambda _: Result(stream=events(), media_type="text/event-stream")
    async with asgi_serving(served, server) as url, session.get(f"{url}/shop/it") as response:
        await response.content.readexactly(9)
        response.close()
        await audit.ended.wait()
    assert [type(end) for end in audit.ends] == [asyncio.CancelledError]


async def test_failure_of_a_stream_breaks_the_connection(server: str, session: aiohttp.ClientSession) -> None:
    async def events() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        raise UpstreamTimeoutError("no event in time")

    served = host()
    fake(served).responses["get"] = lambda _: Result(stream=events(), media_type="text/event-stream")
    async with asgi_serving(served, server) as url:
        async with session.get(f"{url}/shop/it") as response:
            with pytest.raises(aiohttp.ClientError):
                await response.read()
        fake(served).responses.clear()
        async with session.get(f"{url}/shop/it") as response:
            assert response.status == 200


async def test_access_and_callers(server: str, session: aiohttp.ClientSession) -> None:
    audit = Audit()
    served = host({**REST, "authentication": AUTHENTICATION}, audit=audit)
    async with asgi_serving(served, server) as url:
        async with session.get(f"{url}/shop/it") as response:
            assert (response.status, response.headers["WWW-Authenticate"]) == (401, 'ApiKey header="X-Key"')
        async with session.get(f"{url}/shop/it", headers={"X-Key": KEY}) as response:
            assert response.status == 200
    (call,) = audit.calls
    assert (call.exposer, call.exposer_type, call.transport) == ("shop", "rest", "http")
    assert (call.principal, call.client_address) == (Principal(), PEER)


@pytest.mark.parametrize("place", PLACES)
async def test_digest(server: str, place: str) -> None:
    """Clients sign the whole path, with that of the mount."""
    digest = {"type": "digest", "username": "ada", "password": "s3cret"}
    async with asgi_serving(host({**REST, "authentication": digest}), server, place) as url:
        for password, status in ("wr0ng", 401), ("s3cret", 200):
            middlewares = (aiohttp.DigestAuthMiddleware("ada", password),)
            async with (
                aiohttp.ClientSession(middlewares=middlewares) as client,
                client.get(f"{url}/shop/it?x=1") as response,
            ):
                assert response.status == status


@pytest.mark.parametrize("place", PLACES)
async def test_paths_at_the_origin(place: str, session: aiohttp.ClientSession) -> None:
    async with (
        asgi_serving(host({**ODD, "authentication": AUTHENTICATION}), place=place) as url,
        session.get(f"{url}/.well-known/odd.json") as response,
    ):
        root = PLACES[place][1]
        assert await response.json() == {"root": root, "path": "/.well-known/odd.json", "scheme": "http"}


@pytest.mark.parametrize(
    ("server", "place", "option"),
    [
        ("uvicorn", "alone", "/v1"),
        ("uvicorn", "starlette", "/v1"),
        ("uvicorn", "fastapi", "/v1"),
        ("hypercorn", "alone", "/v1"),
        ("hypercorn", "alone", "/v1/a b"),
    ],
)
async def test_root_path_of_a_server(server: str, place: str, option: str, session: aiohttp.ClientSession) -> None:
    root = f"{option}{PLACES[place][1]}".replace(" ", "%20")
    async with asgi_serving(host(REST, MCP, ODD), server, place, root_path=option) as url:
        async with session.get(f"{url}/odd/root") as response:
            assert await response.json() == {"root": root, "path": "/odd/root", "scheme": "http"}
        async with session.get(f"{url}/shop/openapi.json") as response:
            assert (await response.json())["servers"] == [{"url": f"{root}/shop"}]
        async with session.get(f"{url}/tools/mcp", headers={"Accept": "text/html"}) as response:
            assert f"{root}/tools/mcp" in await response.text()


async def test_websockets_are_closed(server: str, session: aiohttp.ClientSession) -> None:
    async with asgi_serving(host(), server) as url:
        with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
            await session.ws_connect(f"{url}/shop/it")
        assert raised.value.status == 403
        async with session.get(f"{url}/shop/it") as response:
            assert response.status == 200


async def test_responses_of_every_kind(server: str, session: aiohttp.ClientSession, caplog: Any) -> None:
    async with asgi_serving(host(ODD), server) as url:
        for name, status, body in (
            ("file", 200, OddExposer.file.read_bytes()),
            ("gzip", 200, b"x" * 5000),
            ("compressed", 200, b"y" * 3000),
            ("empty", 204, b""),
            ("fails", 409, b"conflict"),
        ):
            async with session.get(f"{url}/odd/{name}") as response:
                assert (name, response.status, await response.read()) == (name, status, body)
        async with session.get(f"{url}/odd/cookies") as response:
            assert [cookie.split(";")[0] for cookie in response.headers.getall("Set-Cookie")] == ["a=1", "b=2"]
        headers = {"Range": "bytes=3-6"}
        async with session.get(f"{url}/odd/file", headers=headers) as response:
            assert (response.status, await response.read()) == (206, OddExposer.file.read_bytes()[3:7])


async def test_unexpected_errors(server: str, session: aiohttp.ClientSession, caplog: Any) -> None:
    async with asgi_serving(host(ODD), server) as url:
        async with session.get(f"{url}/odd/raises") as response:
            body = await response.json()
            assert (response.status, body["detail"]) == (500, "unexpected error")
            assert "secret" not in str(body)
        async with session.get(f"{url}/odd/late") as response:
            with pytest.raises(aiohttp.ClientError):
                await response.read()
        with pytest.raises(aiohttp.ClientError):
            async with session.get(f"{url}/odd/splits", raise_for_status=True) as response:
                await response.read()
    assert f"request {body['request_id']}: unexpected error" in caplog.text


async def test_reload(server: str, session: aiohttp.ClientSession) -> None:
    served = host()
    async with asgi_serving(served, server) as url:
        hold = fake(served).hold("get")
        calling = asyncio.create_task(session.get(f"{url}/shop/it").__aenter__())
        await hold.entered.wait()
        await served.reload({"naftiko": "1.0.0-alpha2", "capability": {"consumes": [API], "exposes": [MCP]}})
        async with session.get(f"{url}/shop/it") as response:
            assert response.status == 404
        async with Client(f"{url}/tools/mcp") as client:
            assert not (await client.call_tool("get", {})).is_error
        hold.release.set()
        assert (await calling).status == 200


async def test_https() -> None:
    """The scheme is that of the server's socket."""
    messages = await request(host(ODD), "/odd/root", scheme="https")
    assert b'"scheme": "https"' in messages[1]["body"]


async def request(served: Host, path: str, **scope: Any) -> list[Any]:
    """Return the messages of the response to a request without a server."""
    app = served.asgi()
    sent: list[Any] = []
    never = asyncio.Event()
    received = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        if (message := next(received, None)) is None:
            await never.wait()
        return message

    async def send(message: Any) -> None:
        sent.append(message)

    async with app.lifespan():
        head = {"type": "http", "method": "GET", "path": path, "headers": [(b"host", b"x.example")]}
        await app({**head, **scope}, receive, send)
    return sent


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({"path": "/odd/root"}, "/odd/root"),
        ({"path": "/v1/odd/root", "root_path": "/v1"}, "/odd/root"),
        ({"path": "/odd/root", "root_path": "/v1"}, "/odd/root"),
        ({"path": "/odd/root", "root_path": "/odd"}, None),
        ({"path": "/v1/odd/root", "root_path": "/v1/", "raw_path": b"/v1/odd/root"}, "/odd/root"),
        ({"path": "/v 1/odd/root", "root_path": "/v 1", "raw_path": b"/v%201/odd/root"}, "/odd/root"),
        ({"path": "/v 1/odd/root", "root_path": "/v 1", "raw_path": None}, "/odd/root"),
        ({"path": "/v1odd/root", "root_path": "/v1"}, None),
        ({"path": "", "root_path": ""}, None),
        ({"path": "/v1", "root_path": "/v1"}, None),
        ({"path": "*", "method": "OPTIONS"}, None),
    ],
    ids=str,
)
async def test_paths_of_scopes(scope: dict[str, Any], expected: str | None) -> None:
    start, body = await request(host(ODD), **scope)
    assert start["status"] == (404 if expected is None else 200)
    if expected is not None:
        assert f'"path": "{expected}"'.encode() in body["body"]
    assert all(name == name.lower() for name, _ in start["headers"])


async def test_lifespan_reports_failures() -> None:
    document = {
        "naftiko": "1.0.0-alpha2",
        "binds": [{"namespace": "env", "keys": {"KEY": "KEY"}}],
        "capability": {
            "consumes": [API],
            "exposes": [{**REST, "authentication": {"type": "bearer", "token": "{{env.KEY}}"}}],
        },
    }
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    app = Host(document, plugins=plugins, settings=Settings(environment={})).asgi()
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "lifespan"}, receive, send)
    (message,) = sent
    assert message["type"] == "lifespan.startup.failed"
    assert "secret 'env.KEY' is not set" in message["message"]


async def test_host_that_has_not_started(session: aiohttp.ClientSession, caplog: Any) -> None:
    outer = Starlette(routes=[Mount("/apis", host().asgi())])
    with caplog.at_level(logging.ERROR):
        async with uvicorn_serving(outer) as url, session.get(f"{url}/apis/shop/it") as response:
            assert (response.status, (await response.json())["detail"]) == (503, "the host has not started")
    assert "enter lifespan() of its application in the lifespan of yours" in caplog.text


async def test_one_application_for_a_host() -> None:
    served = host()
    served.asgi()
    with pytest.raises(StartError, match="already served inside another application"):
        served.asgi()
    attached = host()
    attach(web.Application(), attached)
    with pytest.raises(StartError, match="already served inside another application"):
        attached.asgi()


async def test_exposers_with_sockets_are_refused() -> None:
    served = host({"type": "echo", "namespace": "lines", "port": 0, "operations": [{"name": "get", "call": "api.get"}]})
    with pytest.raises(ProblemsError, match="lines"):
        async with served.asgi().lifespan():
            pass


async def test_unknown_scope() -> None:
    with pytest.raises(ValueError, match="scopes of type 'telnet' are not supported"):
        await host().asgi()({"type": "telnet"}, _unused, _unused)


async def _unused(*_: Any) -> Any:
    raise AssertionError("called")


async def test_host_can_start_again(session: aiohttp.ClientSession) -> None:
    app = host().asgi()
    for _ in range(2):
        async with uvicorn_serving(app) as url, session.get(f"{url}/shop/it") as response:
            assert response.status == 200
