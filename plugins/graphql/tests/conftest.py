from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession
from multidict import CIMultiDictProxy

from adapter_host import Host, Plugins, Settings
from adapter_host.testing import FakeConsumer, FakePlugin, Running, running
from adapter_host_graphql.documents import Documents
from adapter_host_graphql.exposer import GraphqlExposer

GRAPHQL = "application/graphql-response+json"


@dataclass
class Response:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def data(self) -> Any:
        assert "errors" not in self.json, self.json
        return self.json["data"]

    @property
    def errors(self) -> Any:
        return self.json["errors"]

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.errors]


def build_host(document: dict[str, Any] | Path) -> Host:
    """Return a host that is not started."""
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    return Host(document, plugins=plugins, settings=Settings(environment={}))


def compiled(host: Host) -> Documents:
    """Return the schema and the documents of the first exposer of a host."""
    exposer = host.status()[0].exposer
    assert isinstance(exposer, GraphqlExposer)
    return exposer.compile()


@dataclass
class GraphqlClient:
    """A client of a served GraphQL exposer, and the API behind it."""

    url: str
    served: Running
    session: ClientSession

    @property
    def api(self) -> FakeConsumer:
        return self.served.fake("api")

    async def __call__(self, query: str | None = None, *, accept: str = GRAPHQL, **members: Any) -> Response:
        body = {**({} if query is None else {"query": query}), **members}
        return await self.send("POST", json=body, headers={"Accept": accept})

    async def send(self, method: str, **sent: Any) -> Response:
        async with self.session.request(method, self.url, **sent) as response:
            return Response(response.status, response.headers, await response.read())


Serve = Callable[..., AbstractAsyncContextManager[GraphqlClient]]
Document = Callable[..., dict[str, Any]]


def _document(
    operations: Sequence[Mapping[str, Any]], consumed: Sequence[Mapping[str, Any]] | None = None, **keys: Any
) -> dict[str, Any]:
    """Return a document with operations that call those of the same name, or of `consumed`."""
    exposed = [{"call": f"api.{each['name']}", **each} for each in operations]
    names = [{"name": each["name"], "method": "GET"} for each in operations]
    schemas = keys.pop("schemas", None)
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Stations"},
        **({"x-schemas": schemas} if schemas else {}),
        "capability": {
            "consumes": [{"type": "fake", "namespace": "api", "operations": list(consumed or names)}],
            "exposes": [{"type": "graphql", "namespace": "front", "port": 0, "operations": exposed, **keys}],
        },
    }


@pytest.fixture
def document() -> Document:
    return _document


@pytest.fixture
def serve() -> Serve:
    @asynccontextmanager
    async def serving(*arguments: Any, settings: Any = None, **keys: Any) -> AsyncIterator[GraphqlClient]:
        async with running(_document(*arguments, **keys), **settings or {}) as served, ClientSession() as session:
            yield GraphqlClient(served.url("front"), served, session)

    return serving
