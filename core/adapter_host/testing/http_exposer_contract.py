"""The contract tests of HTTP exposers, in addition to those of all exposers."""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar, Final
from unittest import SkipTest
from urllib.parse import urlsplit

import orjson
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from adapter_host import HttpExposer, OperationError, UpstreamStatusError, attach, hookimpl

from .contract import contract_test, make_error
from .exposer_contract import ExposerContract, error_text
from .listening_contract import free_port
from .running import build_host

_PREFIX: Final = "/below"
_USER: Final = "ada"
_PASSWORD: Final = "a-secret"


class HttpExposerContract(ExposerContract, ABC):
    """The tests that every `HttpExposer` must pass; subclass it instead of `ExposerContract`."""

    malformed: ClassVar[Sequence[tuple[str, str, bytes]]] = ()
    """Requests that the protocol does not allow: method, path below the URL, and body."""

    @classmethod
    def pytest_generate_tests(cls, metafunc: Any) -> None:
        """Parametrize tests by malformed requests too."""
        super().pytest_generate_tests(metafunc)
        if "malformed_request" in metafunc.fixturenames:
            names = [f"{number}-{method}" for number, (method, _, _) in enumerate(cls.malformed)]
            metafunc.parametrize("malformed_request", list(cls.malformed), ids=names)

    has_statuses: ClassVar[bool] = True
    """Whether the status of an error is that of the response; False for protocols with their own errors."""

    @contract_test
    async def test_errors_have_their_status(self, error: type[OperationError]) -> None:
        """The error of a client contains the status of the `OperationError`; unless `has_statuses` is False."""
        if not self.has_statuses:
            raise SkipTest("the protocol has no statuses")
        raised = make_error(error)

        def respond(_: Mapping[str, Any]) -> None:
            raise raised

        async with self._served() as (served, url), self.connect(url) as call:
            served.fake("api").responses["read"] = respond
            text = await error_text(call, {"id": 7})
            # An exposer may pass on the status of the API in place of 502.
            upstream = [raised.upstream_status] if isinstance(raised, UpstreamStatusError) else []
            found = any(re.search(rf"\b{status}\b", text) for status in (raised.status, *upstream))
            assert found, f"the status {raised.status} is not in: {text}"

    @contract_test
    async def test_correct_credentials_are_accepted(self) -> None:
        """With `authentication`, a call with the credentials succeeds; `connect` receives them in the URL."""
        keys = {"type": "basic", "username": _USER, "password": "{{env.TOKEN}}"}
        document = self._document(authentication=keys)
        host = self._build(document, environment={"TOKEN": _PASSWORD})
        async with host:
            url = urlsplit(host.status()[0].url or "")
            known = url._replace(netloc=f"{_USER}:{_PASSWORD}@{url.netloc}").geturl()
            async with self.connect(known) as call:
                assert await call("read", {"id": 7}) == {"id": 7}

    @contract_test
    async def test_attached_below_a_prefix(self) -> None:
        """The exposer works inside another application, below a prefix."""
        host = self._build(self._document())
        app = web.Application()
        attach(app, host, prefix=_PREFIX)
        async with _listening(app) as origin:
            exposer = host.status()[0].exposer
            assert isinstance(exposer, HttpExposer)
            path = f"{_PREFIX}/{exposer.config.namespace}{type(exposer).endpoint}"
            async with self.connect(f"{origin}{path}") as call:
                assert await call("read", {"id": 7}) == {"id": 7}

    @contract_test
    async def test_shared_port(self) -> None:
        """Two exposers of one port are served below their namespaces."""
        document = self._document()
        first = document["capability"]["exposes"][0]
        other = {**first, "namespace": "other"}
        document["capability"]["exposes"].append(other)
        host = self._build(document)
        port = free_port("127.0.0.1")
        host.settings = replace(host.settings, ports={first["namespace"]: port, "other": port})
        async with host:
            urls = [status.url or "" for status in host.status()]
            assert len({*urls}) == len(urls), f"two exposers have one URL: {urls[0]}"
            for url in urls:
                async with self.connect(url) as call:
                    assert await call("read", {"id": 7}) == {"id": 7}

    @contract_test
    async def test_middlewares_see_the_calls(self) -> None:
        """The middlewares of plugins run, and calls are as without them."""
        paths: list[str] = []

        @web.middleware
        async def note(request: web.Request, handler: Callable[[web.Request], Awaitable[Any]]) -> web.StreamResponse:
            paths.append(request.path)
            response: web.StreamResponse = await handler(request)
            return response

        plugins = self.plugins()
        plugins.register("noting", SimpleNamespace(http_middlewares=hookimpl(lambda exposer: [note])))
        host = build_host(self._document(), plugins=plugins, **self.host_settings)
        async with host, self.connect(host.status()[0].url or "") as call:
            assert await call("read", {"id": 7}) == {"id": 7}
        assert paths, "a request did not pass the middlewares"

    @contract_test
    async def test_unknown_paths_are_not_found(self) -> None:
        """The response to an unknown path is 404."""
        async with (
            self._served() as (_, url),
            ClientSession() as session,
            session.get(f"{url}/a-path/that/nobody/declared") as response,
        ):
            assert response.status == 404, f"the status is {response.status}, not 404"

    @contract_test
    async def test_malformed_requests_are_refused(self, malformed_request: tuple[str, str, bytes]) -> None:
        """The response to a malformed request is 4xx, nothing is called, and the next call succeeds."""
        method, path, body = malformed_request
        async with self._served() as (served, url), ClientSession() as session:
            async with session.request(method, f"{url}{path}", data=body) as response:
                assert 400 <= response.status < 500, f"the status is {response.status}, not 4xx"
            assert served.fake("api").calls == []
            async with self.connect(url) as call:
                assert await call("read", {"id": 7}) == {"id": 7}

    @contract_test
    async def test_openapi_is_plain_data(self) -> None:
        """`openapi` returns None, or an OpenAPI document as plain data."""
        host = self._build(self._document())
        exposer = host.status()[0].exposer
        assert isinstance(exposer, HttpExposer)
        document = exposer.openapi("http://localhost:8080")
        if document is not None:
            assert str(document["openapi"]).startswith("3.")
            assert orjson.dumps(document)

    @contract_test
    async def test_application_is_new_at_each_start(self) -> None:
        """`build_app` returns another application each time, because an application can be started only once."""
        exposer = self._build(self._document()).status()[0].exposer
        assert isinstance(exposer, HttpExposer)
        assert exposer.build_app() is not exposer.build_app()


@asynccontextmanager
async def _listening(app: web.Application) -> AsyncIterator[str]:
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")
