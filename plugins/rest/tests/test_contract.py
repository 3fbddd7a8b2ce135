"""The REST exposer fulfils the contract of exposers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession

from adapter_host.testing import CallFailedError, HttpExposerContract


class TestRest(HttpExposerContract):
    malformed = (("POST", "/read", b"{"), ("POST", "/read", b"[7]"))

    def exposes(self, operations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        resources = [{"path": f"/{each['name']}", "operations": [{"method": "POST", **each}]} for each in operations]
        return {"type": "rest", "namespace": "front", "port": 0, "resources": resources}

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[Callable[[str, Mapping[str, Any]], Awaitable[Any]]]:
        async with ClientSession() as session:

            async def call(operation: str, arguments: Mapping[str, Any]) -> Any:
                async with session.post(f"{url}/{operation}", json=arguments) as response:
                    if response.status >= 400:
                        raise CallFailedError(f"{response.status} {await response.text()}")
                    return await response.json()

            yield call
