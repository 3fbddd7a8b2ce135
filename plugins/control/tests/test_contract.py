"""The control exposer fulfils the contract of exposers, except for the tests of calls: it monitors the host."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession

from adapter_host.testing import HttpExposerContract


class TestControl(HttpExposerContract):
    calls_operations = False
    malformed = (("DELETE", "/health/live", b"{}", 405), ("POST", "/health/live", b"{", 405))

    @pytest.mark.skip("a capability has only one control exposer")
    def test_shared_port(self) -> None:
        """Skip the test of two exposers in one document."""

    def exposes(self, operations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        return {"type": "control", "namespace": "front", "port": 0, "management": {"health": True, "info": True}}

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[Callable[[str, Mapping[str, Any]], Awaitable[Any]]]:
        async with ClientSession() as session:

            async def call(_: str, __: Mapping[str, Any]) -> Any:
                async with session.get(f"{url}/health/live") as response:
                    health = orjson.loads(await self.read(response))
                assert health == {"status": "UP"}
                return health

            yield call
