"""The skill exposer fulfils the contract of exposers, except for the tests of calls: it calls no operations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import ClientSession

from adapter_host.testing import HttpExposerContract

SKILL = {"name": "brewing", "description": "Brews tea"}


class TestSkill(HttpExposerContract):
    calls_operations = False
    malformed = (
        ("POST", "/skills", b"{}", 405),
        ("GET", "/skills/..%2Fbrewing", b"", 404),
        ("GET", "/skills/brewing/contents/a%5Cb", b"", 400),
    )

    def exposes(self, operations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        return {"type": "skill", "namespace": "front", "port": 0, "skills": [SKILL]}

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[Callable[[str, Mapping[str, Any]], Awaitable[Any]]]:
        async with ClientSession() as session:

            async def call(_: str, __: Mapping[str, Any]) -> Any:
                async with session.get(f"{url}/skills/brewing") as response:
                    skill = orjson.loads(await self.read(response))
                assert skill["name"] == "brewing"
                return skill

            yield call
