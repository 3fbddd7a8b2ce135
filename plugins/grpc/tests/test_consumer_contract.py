"""GrpcConsumer fulfils the contract of consumers, with a server of grpcio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import MappingProxyType
from typing import Any

import grpc
from adapter_host import (
    UpstreamDisconnectedError,
    UpstreamError,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from adapter_host.testing import ConsumerContract, Example, Hold

from .shop import Abort, serving, stubs

FULL: Mapping[str, Any] = {
    "id": 2**63 - 1,
    "serial": 2**64 - 1,
    "nick": "",
    "blob": "AAH/",
    "color": "COLOR_RED",
    "tags": ["a", ""],
    "counts": {"x": -5},
    "parts": {"7": {"id": 1}},
    "ratio": 0.1,
    "active": True,
    "createdAt": "2026-11-30T10:00:00Z",
}
DEFAULTS: Mapping[str, Any] = {
    "id": 0,
    "serial": 0,
    "blob": "",
    "color": "COLOR_UNSPECIFIED",
    "tags": [],
    "counts": {},
    "parts": {},
    "ratio": 0,
    "small": 0,
    "active": False,
    "colors": [],
    "flags": {},
}


class TestContract(ConsumerContract):
    """The contract of consumers."""

    examples = (
        Example("Shop.Echo", {"id": 7}, {**DEFAULTS, "id": 7}),
        Example("Shop.Echo", FULL, {**DEFAULTS, **FULL, "parts": {"7": {**DEFAULTS, "id": 1}}}),
        Example("Watch", {"times": 2}, [DEFAULTS, {**DEFAULTS, "id": 1}]),
        Example("Clear", {}, {}),
    )
    settings = MappingProxyType({"response_limit": 4096})
    failure_settings = MappingProxyType({"total_timeout": 0.5})
    failures = (
        UpstreamStatusError,
        UpstreamInvalidError,
        UpstreamTimeoutError,
        UpstreamUnreachableError,
        UpstreamDisconnectedError,
    )

    @asynccontextmanager
    async def api(self) -> AsyncIterator[Mapping[str, Any]]:
        async with AsyncExitStack() as stack:
            self._stack = stack
            self._shop = await stack.enter_async_context(serving())
            yield {"type": "grpc", "namespace": "api", "baseUri": self._shop.url}

    def override(self, entry: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
        return {**entry, "baseUri": "grpc://127.0.0.1:1"}, entry["baseUri"]

    async def fail(self, error: type[UpstreamError]) -> None:
        if error is UpstreamUnreachableError:
            await self._stack.aclose()

        async def respond(_: Any) -> Any:
            if error is UpstreamTimeoutError:
                await asyncio.Event().wait()
            if error is UpstreamDisconnectedError:
                self._shop.relay.cut()
            if error is UpstreamStatusError:
                raise Abort(grpc.StatusCode.NOT_FOUND, "no such thing")
            return stubs().messages.Thing(nick="x" * 10_000)

        self._shop.respond = respond

    async def hold(self) -> Hold:
        self._shop.held = Hold()
        return self._shop.held
