"""Exceptions of aiohttp in applications of exposers are problem documents, except those with content of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler

from adapter_host import Host, HttpExposer, HttpExposerConfig, RegisterExposer, Settings, attach, hookimpl
from tests.support.adapters import document, plain_plugins

CARD = "/.well-known/card.json"


class Raising(HttpExposer[HttpExposerConfig]):
    """Raises exceptions of aiohttp, and has one path for GET requests and POST requests."""

    config_class = HttpExposerConfig

    def build_app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/item", self._read)
        app.router.add_post("/item", self._read)
        app.router.add_get("/busy", self._busy)
        app.router.add_get("/own", self._own)
        app.router.add_get("/moved", self._moved)
        return app

    def origin_routes(self) -> Mapping[str, Handler]:
        return {CARD: self._read}

    async def _read(self, request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def _busy(self, request: web.Request) -> web.Response:
        raise web.HTTPServiceUnavailable(headers={"Retry-After": "7"}, reason="Too busy")

    async def _own(self, request: web.Request) -> web.Response:
        raise web.HTTPConflict(text='{"code": 1}', content_type="application/json")

    async def _moved(self, request: web.Request) -> web.Response:
        raise web.HTTPFound("/item")


class Direct(Raising):
    """The same with a direct handler."""

    def build_app(self) -> web.Application:
        return super().build_app()

    def direct_handler(self, request: web.Request) -> Handler | None:
        return self._busy if request.path.endswith("/busy") else None


class RaisingPlugin:
    """The plugin of `type: raising` and `type: direct`."""

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("raising", Raising)
        register("direct", Direct)


@pytest.fixture(params=["raising", "direct", "attached"])
async def url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    is_attached = request.param == "attached"
    exposed = {"type": "raising" if is_attached else request.param, "namespace": "front", "port": 0}
    host = Host(
        document(exposed),
        plugins=plain_plugins(raising=RaisingPlugin()),
        settings=Settings(environment={}, body_limit=64),
    )
    if is_attached:
        app = web.Application(client_max_size=64)
        attach(app, host)
        async with TestServer(app) as server:
            yield str(server.make_url("/front"))
        return
    async with host:
        yield host.status()[0].url or ""


async def response_of(method: str, url: str, body: bytes | None = None) -> aiohttp.ClientResponse:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, data=body, allow_redirects=False) as response,
    ):
        await response.read()
        return response


@pytest.mark.parametrize(
    ("method", "path", "status", "detail", "header"),
    [
        ("PUT", "/item", 405, "method PUT is not allowed; use one of GET, HEAD, POST", ("Allow", "GET,HEAD,POST")),
        ("GET", "/busy", 503, "too busy", ("Retry-After", "7")),
    ],
)
async def test_default_texts_are_problems(
    url: str, method: str, path: str, status: int, detail: str, header: tuple[str, str]
) -> None:
    response = await response_of(method, f"{url}{path}")
    problem = await response.json(content_type="application/problem+json")
    assert (response.status, problem["status"], problem["detail"]) == (status, status, detail)
    assert problem["request_id"] == response.headers["X-Request-Id"]
    assert response.headers[header[0]] == header[1]


async def test_body_over_the_limit_is_a_problem(url: str) -> None:
    response = await response_of("POST", f"{url}/item", b"x" * 100)
    problem = await response.json(content_type="application/problem+json")
    assert (response.status, problem["status"]) == (413, 413)


async def test_own_content_is_unchanged(url: str) -> None:
    response = await response_of("GET", f"{url}/own")
    assert (response.status, response.content_type, await response.text()) == (409, "application/json", '{"code": 1}')
    response = await response_of("GET", f"{url}/moved")
    assert (response.status, response.headers["Location"]) == (302, "/item")


async def test_origin_routes(url: str) -> None:
    response = await response_of("POST", f"{url.removesuffix('/front')}{CARD}", b"x")
    problem = await response.json(content_type="application/problem+json")
    assert (response.status, problem["detail"]) == (405, "method POST is not allowed; use one of GET, HEAD")
