"""The A2A exposer fulfils the contract of exposers, over JSON-RPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import ClientSession

from adapter_host.testing import CallFailedError, HttpExposerContract


class TestA2a(HttpExposerContract):
    has_statuses = False
    malformed = (("POST", "/message:send", b"{"), ("POST", "/message:send", b"[7]"))

    def exposes(self, operations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        return {"type": "a2a", "namespace": "front", "port": 0, "skills": operations}

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[Callable[[str, Mapping[str, Any]], Awaitable[Any]]]:
        async with ClientSession(headers={"A2A-Version": "1.0"}) as session:

            async def call(operation: str, arguments: Mapping[str, Any]) -> Any:
                part = {"data": {"skill": operation, "arguments": arguments}}
                message = {"messageId": "1", "role": "ROLE_USER", "parts": [part]}
                body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}
                async with session.post(url, json=body) as response:
                    text = await response.text()
                task = orjson.loads(text).get("result", {}).get("task", {})
                if task.get("status", {}).get("state") != "TASK_STATE_COMPLETED":
                    raise CallFailedError(text)
                ((part,),) = (artifact["parts"] for artifact in task["artifacts"])
                return part["data"]

            yield call
