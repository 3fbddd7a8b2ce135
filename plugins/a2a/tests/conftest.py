from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession, StreamReader
from multidict import CIMultiDictProxy

from adapter_host.testing import FakeConsumer, Running, running

CARD_PATH = "/.well-known/agent-card.json"


@dataclass
class Response:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def result(self) -> Any:
        assert "error" not in self.json, self.json
        return self.json["result"]

    @property
    def error(self) -> Any:
        return self.json["error"]

    @property
    def events(self) -> list[Any]:
        lines = self.body.decode().split("\n\n")
        return [orjson.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


@dataclass
class A2aClient:
    """A client of a served A2A exposer, and the API behind it."""

    url: str
    served: Running
    session: ClientSession

    @property
    def api(self) -> FakeConsumer:
        return self.served.fake("api")

    async def __call__(self, method: str, params: Any = None, **headers: str) -> Response:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        return await self.send("POST", "", json=body, headers=headers)

    async def send(self, method: str, path: str, **sent: Any) -> Response:
        async with self.session.request(method, self.url + path, **sent) as response:
            return Response(response.status, response.headers, await response.read())

    @asynccontextmanager
    async def stream(self, path: str, body: Any = None) -> AsyncIterator[AsyncIterator[Any]]:
        """Open a stream of HTTP+JSON and yield its events."""
        async with self.session.post(self.url + path, json=body or {}) as response:
            assert response.status == 200
            yield self._events(response.content)

    async def _events(self, lines: StreamReader) -> AsyncIterator[Any]:
        async for line in lines:
            if line.startswith(b"data: "):
                yield orjson.loads(line.removeprefix(b"data: "))

    async def start(self, *parts: Mapping[str, Any], message: Any = None, **configuration: Any) -> Any:
        """Send a message and return the task."""
        params = {"message": {**new_message(*parts), **(message or {})}, "configuration": configuration}
        return (await self("SendMessage", params)).result["task"]


def new_message(*parts: Mapping[str, Any]) -> dict[str, Any]:
    return {"messageId": "m-1", "role": "ROLE_USER", "parts": list(parts)}


def call_part(skill: str, **arguments: Any) -> dict[str, Any]:
    return {"data": {"skill": skill, "arguments": arguments}}


Serve = Callable[..., AbstractAsyncContextManager[A2aClient]]
Document = Callable[..., dict[str, Any]]


def _document(
    skills: Sequence[Mapping[str, Any]], consumed: Sequence[Mapping[str, Any]] | None = None, **keys: Any
) -> dict[str, Any]:
    """Return a document with skills that call the operations of the same name."""
    exposed = [{"call": f"api.{each['name']}", "description": "Does it", **each} for each in skills]
    inputs = [{"name": "id", "type": "integer"}]
    names = consumed or [{"name": each["name"], "inputParameters": inputs} for each in skills]
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Museum", "version": "1.2.3"},
        "binds": [{"namespace": "env", "keys": {"TOKEN": "TOKEN", "OTHER": "OTHER"}}],
        "capability": {
            "consumes": [{"type": "fake", "namespace": "api", "operations": list(names)}],
            "exposes": [{"type": "a2a", "namespace": "front", "port": 0, "skills": exposed, **keys}],
        },
    }


@pytest.fixture
def document() -> Document:
    return _document


@pytest.fixture
def serve() -> Serve:
    @asynccontextmanager
    async def serving(*arguments: Any, settings: Any = None, **keys: Any) -> AsyncIterator[A2aClient]:
        headers = {"A2A-Version": "1.0"}
        document = _document(*arguments, **keys)
        async with running(document, **settings or {}) as served, ClientSession(headers=headers) as session:
            yield A2aClient(served.url("front"), served, session)

    return serving
