"""The contract tests for exposers, over MCP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import ClientSession

from adapter_host import BodyTooLargeError, OperationError
from adapter_host.testing import CallFailedError, HttpExposerContract

PROBLEM_JSON = "application/problem+json"

_HEADERS = {"Accept": "application/json, text/event-stream"}


class TestMcp(HttpExposerContract):
    malformed = (("POST", "", b"{", (400, -32700)), ("POST", "", b"[7]", (400, -32600)))

    def kind_of(self, error: Exception) -> object:
        """Return the type of a tool's error, or the status and the code of an error of JSON-RPC."""
        if isinstance(error, BodyTooLargeError):
            return 413, -32600
        if not isinstance(error, OperationError):
            return 200, -32603
        return ("OperationError", error.status) if type(error).__module__ == "a_plugin" else type(error).__name__

    def error_of(self, status: int, headers: Mapping[str, str], body: bytes) -> CallFailedError | None:
        """Return the error of a tool, or of JSON-RPC."""
        if PROBLEM_JSON in headers["Content-Type"]:
            return super().error_of(status, headers, body)
        message, text = orjson.loads(body), f"{status} {dict(headers)} {body.decode()}"
        if "error" in message:
            return CallFailedError(text, kind=(status, message["error"]["code"]))
        if not message["result"]["isError"]:
            return None
        details = message["result"]["_meta"]["adapter-host/error"]
        kind = (details["type"], details["status"]) if "status" in details else details["type"]
        place = (details["parameter"], details.get("pointer")) if "parameter" in details else None
        return CallFailedError(text, kind=kind, sent=details.get("sent"), place=place)

    def exposes(self, operations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        return {"type": "mcp", "namespace": "front", "port": 0, "tools": operations}

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[Callable[[str, Mapping[str, Any]], Awaitable[Any]]]:
        async with ClientSession(headers=_HEADERS) as session:

            async def call(operation: str, arguments: Mapping[str, Any]) -> Any:
                params = {"name": operation, "arguments": arguments}
                message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
                async with session.post(url, json=message) as response:
                    result = orjson.loads(await self.read(response))["result"]
                return orjson.loads(result["content"][0]["text"])

            yield call

    @asynccontextmanager
    async def open_idle_connection(self, url: str) -> AsyncIterator[None]:
        """Keep a stream for change notifications open."""
        async with ClientSession() as session, session.get(url, headers={"Accept": "text/event-stream"}) as stream:
            assert stream.status == 200
            yield
