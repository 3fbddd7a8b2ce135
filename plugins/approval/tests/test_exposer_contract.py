"""The exposer of approval pages fulfils the contract of exposers, except for the tests of calls: it serves pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiohttp import ClientSession

from adapter_host.testing import HttpExposerContract

from .conftest import BASIC, BOSS

UNKNOWN = "0" * 48


class TestApproval(HttpExposerContract):
    calls_operations = False
    # Without credentials, nothing is said about a call.
    malformed = (("PUT", f"/{UNKNOWN}", b"{}", 401), ("POST", f"/{UNKNOWN}", b"{", 401))

    def exposes(self, operations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        return {"type": "approval", "namespace": "front", "port": 0, "authentication": BASIC}

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[Callable[[str, Mapping[str, Any]], Awaitable[Any]]]:
        parts = urlsplit(url)
        # A client with other credentials has them in the URL.
        headers = {} if parts.username else BOSS
        async with ClientSession(headers=headers) as session:

            async def call(_: str, __: Mapping[str, Any]) -> Any:
                async with session.get(f"{url}/") as response:
                    listed = orjson.loads(await self.read(response))
                assert listed == {"approvals": []}
                return listed

            yield call
