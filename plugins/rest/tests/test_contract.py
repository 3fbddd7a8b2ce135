"""The REST exposer fulfils the contract of exposers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import ClientSession

from adapter_host import UpstreamStatusError
from adapter_host.testing import HttpExposerContract


class TestRest(HttpExposerContract):
    malformed = (("POST", "/read", b"{", 400), ("POST", "/read", b"[7]", 400))

    def kind_of(self, error: Exception) -> object:
        """Return the status; that of the API is passed on."""
        return error.upstream_status if isinstance(error, UpstreamStatusError) else super().kind_of(error)

    def exposes(self, operations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        resources = [{"path": f"/{each['name']}", "operations": [{"method": "POST", **each}]} for each in operations]
        return {"type": "rest", "namespace": "front", "port": 0, "resources": resources}

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[Callable[[str, Mapping[str, Any]], Awaitable[Any]]]:
        async with ClientSession() as session:

            async def call(operation: str, arguments: Mapping[str, Any]) -> Any:
                async with session.post(f"{url}/{operation}", json=arguments) as response:
                    return orjson.loads(await self.read(response))

            yield call
