from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession
from multidict import CIMultiDictProxy
from yarl import URL

from adapter_host import Host
from adapter_host.testing import FakeConsumer, running


@dataclass
class Response:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def data(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Api:
    """A served REST exposer and the consumed API behind it."""

    url: str
    host: Host
    up: FakeConsumer
    session: ClientSession

    async def __call__(self, method: str, path: str, **request: Any) -> Response:
        async with self.session.request(method, URL(self.url + path, encoded=True), **request) as response:
            return Response(response.status, response.headers, await response.read())


Operation = dict[str, Any]
Serve = Callable[..., AbstractAsyncContextManager[Api]]
Document = Callable[..., dict[str, Any]]


def _document(*operations: Operation, exposed: Any = None, **keys: Any) -> dict[str, Any]:
    """Build a document that consumes and exposes the operations; `exposed` replaces the exposed resources."""
    consumed = [{k: v for k, v in o.items() if k != "exposed"} for o in operations]
    resources = exposed or [
        {"path": o["path"], "operations": [{"method": o["method"], "call": f"up.{o['name']}"}]} for o in operations
    ]
    return {
        "naftiko": "1.0.0-alpha2",
        "capability": {
            "consumes": [{"type": "fake", "namespace": "up", "operations": consumed}],
            "exposes": [{"type": "rest", "namespace": "api", "port": 8080, "resources": resources, **keys}],
        },
    }


@pytest.fixture
def document() -> Document:
    return _document


@pytest.fixture
def serve() -> Serve:
    @asynccontextmanager
    async def serving(*operations: Operation, settings: Any = None, **keys: Any) -> AsyncIterator[Api]:
        async with running(_document(*operations, **keys), **settings or {}) as host, ClientSession() as session:
            yield Api(host.url("api"), host.host, host.fake("up"), session)

    return serving
