"""The contract tests of HTTP exposers, in addition to those of all exposers."""

from __future__ import annotations

from abc import ABC
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import orjson
from aiohttp import ClientResponse, ClientSession, web
from aiohttp.test_utils import TestServer

from adapter_host import HttpExposer, attach, hookimpl

from .contract import CallFailedError, contract_test, is_refused
from .exposer_contract import ExposerContract
from .listening_contract import free_port
from .running import build_host

PROBLEM_JSON: Final = "application/problem+json"
_PREFIX: Final = "/below"
_USER: Final = "ada"
_PASSWORD: Final = "a-secret"


class HttpExposerContract(ExposerContract, ABC):
    """The tests that every `HttpExposer` must pass; subclass it instead of `ExposerContract`."""

    malformed: ClassVar[Sequence[tuple[str, str, bytes, object]]] = ()
    """Requests that the protocol does not allow: method, path below the URL, body (JSON), and the kind of the error.

    The empty path is the URL itself, which ends with `endpoint`. A mistyped path fails the test: its kind is 404.
    """

    @classmethod
    def pytest_generate_tests(cls, metafunc: Any) -> None:
        """Parametrize tests by malformed requests too."""
        super().pytest_generate_tests(metafunc)
        if "malformed_request" in metafunc.fixturenames:
            names = [f"{number}-{method}" for number, (method, *_) in enumerate(cls.malformed)]
            metafunc.parametrize("malformed_request", list(cls.malformed), ids=names)

    def error_of(self, status: int, headers: Mapping[str, str], body: bytes) -> CallFailedError | None:
        """Return the error that a response reports, None for a result.

        By default it is any response with a status from 400, which may have a problem document.
        """
        if status < 400:
            return None
        problem: Mapping[str, Any] = {}
        if headers.get("Content-Type", "").startswith(PROBLEM_JSON):
            problem = orjson.loads(body)
        place = (problem["parameter"], problem.get("pointer")) if "parameter" in problem else None
        text = f"{status} {dict(headers)} {body.decode(errors='replace')}"
        return CallFailedError(text, kind=status, sent=problem.get("sent"), place=place)

    async def read(self, response: ClientResponse) -> bytes:
        """Return the body of the response to a client; raise the error that it reports."""
        body = await response.read()
        if (failed := self.error_of(response.status, response.headers, body)) is not None:
            raise failed
        return body

    @contract_test
    async def test_correct_credentials_are_accepted(self) -> None:
        """With `authentication`, a call with the credentials in the URL succeeds, and one without them is 401."""
        keys = {"type": "basic", "username": _USER, "password": "{{env.TOKEN}}"}
        document = self._document(authentication=keys)
        host = self._build(document, environment={"TOKEN": _PASSWORD})
        async with host:
            url = urlsplit(host.status()[0].url or "")
            async with self.connect(url.geturl()) as call:
                assert await is_refused(call("read", {"id": 7}), 401), "a call without credentials succeeded"
            known = url._replace(netloc=f"{_USER}:{_PASSWORD}@{url.netloc}").geturl()
            async with self.connect(known) as call:
                await self.probe(call)

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
                await self.probe(call)

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
                    await self.probe(call)

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
            await self.probe(call)
        assert paths, "a request did not pass the middlewares"

    @contract_test
    async def test_unknown_paths_are_not_found(self) -> None:
        """The response to an unknown path is 404; a problem document has the request id of its header."""
        async with (
            self._served() as (_, url),
            ClientSession() as session,
            session.get(f"{url}/a-path/that/nobody/declared") as response,
        ):
            assert response.status == 404, f"the status is {response.status}, not 404"
            if response.content_type == PROBLEM_JSON:
                problem = await response.json(content_type=PROBLEM_JSON)
                assert problem["request_id"] == response.headers["X-Request-Id"]

    @contract_test
    async def test_malformed_requests_are_refused(self, malformed_request: tuple[str, str, bytes, object]) -> None:
        """The response to a malformed request is the error of its kind, and the next call succeeds."""
        method, path, body, kind = malformed_request
        headers = {"Content-Type": "application/json"}
        async with self._served() as (served, url), ClientSession() as session:
            async with session.request(method, f"{url}{path}", data=body, headers=headers) as response:
                await self._expect(response, kind)
            assert served.fake("api").calls == []
            async with self.connect(url) as call:
                await self.probe(call)

    async def _expect(self, response: ClientResponse, kind: object) -> None:
        """Raise `AssertionError` if a response is no error of a kind; an error that cannot be read is none."""
        try:
            await self.read(response)
        except CallFailedError as error:
            failed = error
        else:
            raise AssertionError("a malformed request was accepted")
        if failed.kind != kind:
            raise AssertionError(f"the kind is {failed.kind!r}, not {kind!r}: {failed.text}") from failed

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
