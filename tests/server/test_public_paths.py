"""Paths of HTTP exposers without credentials, paths at the origin, and the URL for clients."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler
from yarl import URL

from adapter_host import (
    PRINCIPAL,
    BuildContext,
    CallContext,
    Host,
    HttpExposer,
    HttpExposerConfig,
    Operations,
    PluginError,
    ProblemsError,
    RegisterExposer,
    Settings,
    attach,
    current_call,
    hookimpl,
)
from adapter_host.auth.oauth2.metadata import WELL_KNOWN
from adapter_host.cli import main
from tests.support.adapters import document, plain_plugins
from tests.support.oauth2_host import oauth2

CARD = "/.well-known/card.json"
SECRET = "/.well-known/secret.json"
BEARER = {"type": "bearer", "token": "t0ken"}
HEADERS = {"Authorization": "Bearer t0ken"}


class CardExposer(HttpExposer[HttpExposerConfig]):
    """Serves `/health` and a card without credentials, and `/data` and a secret card with them."""

    config_class = HttpExposerConfig
    endpoint = "/data"
    public_paths = frozenset({"/health", CARD})

    def __init__(self, config: HttpExposerConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self.callers: list[CallContext] = []
        self.url_at_build: str | None = "not built"

    def build_app(self) -> web.Application:
        self.url_at_build = self.public_url
        app = web.Application()
        for path in ("/health", "/data", "/health/deep"):
            app.router.add_get(path, self._serve)
        return app

    def origin_routes(self) -> Mapping[str, Handler]:
        return {CARD: self._serve, SECRET: self._serve}

    async def _serve(self, request: web.Request) -> web.Response:
        self.callers.append(current_call())
        known = request.get(PRINCIPAL) is not None
        return web.json_response({"namespace": self.config.namespace, "known": known, "url": self.public_url})


class DirectExposer(CardExposer):
    """The same with a direct handler."""

    def build_app(self) -> web.Application:
        return super().build_app()

    def direct_handler(self, request: web.Request) -> Handler | None:
        return self._serve


class CardPlugin:
    """The plugin of `type: card`, `type: direct` and types with paths that cannot be served."""

    def __init__(self, **faulty: type[HttpExposer[Any]]) -> None:
        self._faulty = faulty

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("card", CardExposer)
        register("direct", DirectExposer)
        for name, exposer in self._faulty.items():
            register(name, exposer)


def card(namespace: str = "front", *, type_name: str = "card", port: int = 0, **more: Any) -> dict[str, Any]:
    return {"type": type_name, "namespace": namespace, "port": port, **more}


def host(*exposed: dict[str, Any], **settings: Any) -> Host:
    plugins = plain_plugins(card=CardPlugin())
    return Host(document(*exposed), plugins=plugins, settings=Settings(environment={}, **settings))


def origin_of(served: Host) -> str:
    url = served.status()[0].url
    assert url is not None
    return url.removesuffix("/data")


async def get(url: str, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(URL(url, encoded=True), headers=headers) as response:
        return response.status, await response.json(content_type=None) if response.status != 405 else None


def card_of(served: Host) -> CardExposer:
    exposer = served.status()[0].exposer
    assert isinstance(exposer, CardExposer)
    return exposer


@pytest.mark.parametrize("type_name", ["card", "direct"])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/health", 200),
        (CARD, 200),
        ("/data", 401),
        (SECRET, 401),
        ("/health/deep", 401),
        ("/health/", 401),
        ("/heal%74h", 401),
        ("/HEALTH", 401),
    ],
)
async def test_public_paths(type_name: str, path: str, expected: int) -> None:
    async with host(card(type_name=type_name, authentication=BEARER)) as served:
        status = (await get(f"{origin_of(served)}{path}"))[0]
        # Without a direct handler, the path of no route is unknown to everybody.
        assert status == expected or (status, type_name) == (404, "card")
        assert len(card_of(served).callers) == int(expected == 200)
        assert (await get(f"{origin_of(served)}{SECRET}", HEADERS))[1]["known"] is True


async def test_public_paths_keep_the_other_checks() -> None:
    async with host(card(authentication=BEARER)) as served:
        for path in "/health", CARD:
            assert (await get(f"{origin_of(served)}{path}", {"Host": "evil.example"}))[0] == 421
            assert (await get(f"{origin_of(served)}{path}", {"Origin": "https://evil.example"}))[0] == 403


async def test_callers_of_origin_routes() -> None:
    async with host(card(authentication=BEARER)) as served:
        await get(f"{origin_of(served)}{CARD}")
        (caller,) = card_of(served).callers
    assert (caller.exposer, caller.exposer_type, caller.transport, caller.principal) == ("front", "card", "http", None)


async def test_only_get_at_the_origin() -> None:
    async with host(card()) as served, aiohttp.ClientSession() as session:
        async with session.post(f"{origin_of(served)}{CARD}") as response:
            assert response.status == 405
        async with session.head(f"{origin_of(served)}{CARD}") as response:
            assert response.status == 200
        assert (await get(f"{origin_of(served)}/.well-known/other"))[0] == 404


class SilentExposer(CardExposer):
    """The same without paths at the origin."""

    def origin_routes(self) -> Mapping[str, Handler]:
        return {}


async def test_origin_routes_of_exposers_on_one_port(unused_tcp_port: int) -> None:
    port = unused_tcp_port
    plugins = plain_plugins(card=CardPlugin(silent=SilentExposer))
    exposed = card("one", port=port, authentication=BEARER), card("two", type_name="silent", port=port)
    async with Host(document(*exposed), plugins=plugins, settings=Settings(environment={})):
        origin = f"http://127.0.0.1:{port}"
        assert (await get(f"{origin}{CARD}"))[1]["namespace"] == "one"
        assert (await get(f"{origin}{SECRET}"))[0] == 401
        assert (await get(f"{origin}/one/health"))[0] == 200
        assert (await get(f"{origin}/one/data"))[0] == 401
        assert (await get(f"{origin}/one{CARD}"))[0] == 404


def test_clash_at_the_origin() -> None:
    with pytest.raises(ProblemsError) as raised:
        host(card("one", port=7070), card("two", port=7070))
    messages = [problem.message.partition(": ")[2] for problem in raised.value.problems]
    assert messages == [
        f"{path} is already served on port 7070 by 'one'; choose another port" for path in (CARD, SECRET)
    ]
    assert {problem.code for problem in raised.value.problems} == {"origin-clash"}


async def test_clash_at_the_origin_with_skip_invalid(unused_tcp_port: int) -> None:
    exposed = card("one", port=unused_tcp_port), card("two", port=unused_tcp_port)
    async with host(*exposed, skip_invalid=True) as served:
        assert [status.namespace for status in served.status()] == ["one"]
        assert (await get(f"http://127.0.0.1:{unused_tcp_port}{CARD}"))[1]["namespace"] == "one"


def test_clash_at_the_origin_of_an_application() -> None:
    with pytest.raises(ProblemsError, match="already served in one application by 'one'"):
        attach(web.Application(), host(card("one"), card("two")))


async def test_origin_routes_beside_the_metadata_of_tokens() -> None:
    async with host(card(authentication=oauth2("https://login.example"))) as served:
        assert (await get(f"{origin_of(served)}{WELL_KNOWN}/data"))[0] == 200
        assert (await get(f"{origin_of(served)}{CARD}"))[0] == 200
        assert (await get(f"{origin_of(served)}{SECRET}"))[0] == 401


@asynccontextmanager
async def attached(served: Host, add: Callable[[web.Application], None]) -> AsyncIterator[str]:
    app = web.Application()
    add(app)
    attach(app, served, prefix="/apis")
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_origin_routes_inside_an_application() -> None:
    async def own(_: web.Request) -> web.Response:
        return web.json_response({"namespace": "application"})

    def add(app: web.Application) -> None:
        app.router.add_get("/.well-known/own.json", own)
        app.router.add_get("/{rest:.*}", own)

    async with attached(host(card(authentication=BEARER)), add) as origin:
        assert (await get(f"{origin}{CARD}"))[1]["namespace"] == "front"
        assert (await get(f"{origin}{SECRET}"))[0] == 401
        assert (await get(f"{origin}/.well-known/own.json"))[1]["namespace"] == "application"
        assert (await get(f"{origin}/.well-known/other.json"))[1]["namespace"] == "application"


async def test_origin_routes_after_a_reload() -> None:
    served = host(card(authentication=BEARER))
    async with served:
        origin = origin_of(served)
        await served.reload(document(card()))
        assert (await get(f"{origin}{SECRET}"))[0] == 200


def faulty(**members: Any) -> type[CardExposer]:
    return type("FaultyExposer", (CardExposer,), {"__module__": __name__, **members})


@pytest.mark.parametrize(
    ("exposer", "message"),
    [
        (faulty(origin_routes=lambda _: {"/card": None}), "origin_routes has '/card'; use a path below /.well-known/"),
        (
            faulty(origin_routes=lambda _: {f"{WELL_KNOWN}/x": None}),
            f"origin_routes has '{WELL_KNOWN}/x', which the host serves itself; use another path",
        ),
        (faulty(public_paths=frozenset({"health"})), "public_paths has 'health'; begin it with '/'"),
    ],
)
def test_paths_that_cannot_be_served(exposer: type[CardExposer], message: str) -> None:
    plugins = plain_plugins(card=CardPlugin(faulty=exposer))
    with pytest.raises(PluginError) as raised:
        Host(document(card(type_name="faulty")), plugins=plugins)
    assert str(raised.value) == f"{__name__}: 'front': {message}"


# The URL for clients


async def test_public_url_of_a_listener() -> None:
    async with host(card()) as served:
        exposer = card_of(served)
        assert exposer.public_url == exposer.url_at_build == served.status()[0].url


@pytest.mark.parametrize(
    ("public_urls", "expected"),
    [
        ({"": "https://api.example"}, "https://api.example/data"),
        ({"": "https://api.example/shop/"}, "https://api.example/shop/data"),
        ({"front": "https://front.example/v1/", "": "https://api.example"}, "https://front.example/v1/data"),
        ({"other": "https://other.example"}, None),
    ],
    ids=str,
)
async def test_public_url_behind_a_proxy(public_urls: dict[str, str], expected: str | None) -> None:
    async with host(card(), public_urls=public_urls) as served:
        assert card_of(served).url_at_build == (expected or served.status()[0].url)
    attached_host = host(card(), public_urls=public_urls)
    async with attached(attached_host, lambda _: None):
        in_application = expected.replace("/data", "/apis/front/data") if "" in public_urls and expected else expected
        if "front" in public_urls:
            in_application = expected
        assert card_of(attached_host).url_at_build == in_application


async def test_public_urls_of_exposers_on_one_port(unused_tcp_port: int) -> None:
    plugins = plain_plugins(card=CardPlugin(silent=SilentExposer))
    exposed = card("one", port=unused_tcp_port), card("two", type_name="silent", port=unused_tcp_port)
    settings = Settings(environment={}, public_urls={"": "https://api.example"})
    async with Host(document(*exposed), plugins=plugins, settings=settings) as served:
        urls = [getattr(status.exposer, "public_url", None) for status in served.status()]
    assert urls == ["https://api.example/one/data", "https://api.example/two/data"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("api.example", "'api.example' is not [NAMESPACE=]URL"),
        ("ftp://api.example", "'ftp://api.example' is not [NAMESPACE=]URL"),
        ("hello=ftp://x", "'ftp://x' is not an http or https URL without query and fragment"),
        ("https://api.example?x=1", "'https://api.example?x=1' is not an http or https URL without query and fragment"),
        ("https://", "'https://' is not an http or https URL without query and fragment"),
        ("other=https://api.example", "--public-url: unknown namespace 'other' (known: "),
    ],
)
def test_invalid_options(option: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code: object = main(["serve", "capabilities/greeting.yaml", "--public-url", option])
    except SystemExit as error:
        code = error.code
    assert code == 2
    assert message in capsys.readouterr().err
