"""The GraphQL exposer fulfils the contract of exposers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import ClientSession

from adapter_host.testing import CallFailedError, HttpExposerContract


class TestGraphql(HttpExposerContract):
    has_statuses = False
    malformed = (("POST", "", b"{"), ("POST", "", b"[7]"))

    def exposes(self, operations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        return {"type": "graphql", "namespace": "front", "port": 0, "operations": operations}

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[Callable[[str, Mapping[str, Any]], Awaitable[Any]]]:
        async with ClientSession() as session:

            async def call(operation: str, arguments: Mapping[str, Any]) -> Any:
                literals = ", ".join(f"{name}: {orjson.dumps(value).decode()}" for name, value in arguments.items())
                query = f"mutation {{ {operation}{f'({literals})' if literals else ''} }}"
                async with session.post(url, json={"query": query}) as response:
                    body = orjson.loads(await response.read())
                if "errors" in body:
                    # As clients print errors: the name of an invalid argument is in the extensions.
                    raise CallFailedError(f"{response.status} {body['errors']}")
                return body["data"][operation]

            yield call
