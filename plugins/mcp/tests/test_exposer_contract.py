"""The contract tests for exposers, over MCP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import ClientSession

from adapter_host.testing import CallFailedError, HttpExposerContract

_HEADERS = {"Accept": "application/json, text/event-stream"}


class TestMcp(HttpExposerContract):
    has_statuses = False
    malformed = (("POST", "", b"{"), ("POST", "", b"[7]"))

    def exposes(self, operations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        return {"type": "mcp", "namespace": "front", "port": 0, "tools": operations}

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[Callable[[str, Mapping[str, Any]], Awaitable[Any]]]:
        async with ClientSession(headers=_HEADERS) as session:

            async def call(operation: str, arguments: Mapping[str, Any]) -> Any:
                params = {"name": operation, "arguments": arguments}
                message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
                async with session.post(url, json=message) as response:
                    text = await response.text()
                result = orjson.loads(text).get("result")
                if result is None or result["isError"]:
                    raise CallFailedError(text)
                return orjson.loads(result["content"][0]["text"])

            yield call

    @asynccontextmanager
    async def open_idle_connection(self, url: str) -> AsyncIterator[None]:
        """Keep a stream for change notifications open."""
        async with ClientSession() as session, session.get(url, headers={"Accept": "text/event-stream"}) as stream:
            assert stream.status == 200
            yield
