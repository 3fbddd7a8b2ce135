"""The A2A exposer fulfils the contract of exposers, over JSON-RPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import ClientSession

from adapter_host import BodyTooLargeError, OperationError
from adapter_host.testing import CallFailedError, HttpExposerContract

PROBLEM_JSON = "application/problem+json"


class TestA2a(HttpExposerContract):
    malformed = (
        # Clients read an error of JSON-RPC only from a response with the status 200.
        ("POST", "", b"{", (200, -32700)),
        ("POST", "", b"[7]", (200, -32600)),
        ("POST", "/message:send?A2A-Version=1.0", b"{", (400, "INVALID_ARGUMENT")),
        ("POST", "/message:send?A2A-Version=1.0", b"[7]", (400, "INVALID_ARGUMENT")),
    )

    def kind_of(self, error: Exception) -> object:
        """Return the state of the task and the type of its error, or the status and the code of JSON-RPC."""
        if isinstance(error, BodyTooLargeError):
            return 413, -32600
        if not isinstance(error, OperationError):
            return "TASK_STATE_FAILED", "InternalError"
        state = "TASK_STATE_REJECTED" if error.status < 500 else "TASK_STATE_FAILED"
        return state, "OperationError" if type(error).__module__ == "a_plugin" else type(error).__name__

    def error_of(self, status: int, headers: Mapping[str, str], body: bytes) -> CallFailedError | None:
        """Return the error of a task, of JSON-RPC or of HTTP+JSON."""
        if PROBLEM_JSON in headers["Content-Type"]:
            return super().error_of(status, headers, body)
        message, text = orjson.loads(body), f"{status} {dict(headers)} {body.decode()}"
        if (error := message.get("error")) is not None:
            return CallFailedError(text, kind=(status, error["status"] if "status" in error else error["code"]))
        task_status = message["result"]["task"]["status"]
        if task_status["state"] == "TASK_STATE_COMPLETED":
            return None
        details = task_status["message"]["parts"][1]["data"]["error"]
        place = (details["parameter"], details.get("pointer")) if "parameter" in details else None
        return CallFailedError(
            text, kind=(task_status["state"], details["type"]), sent=details.get("sent"), place=place
        )

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
                    task = orjson.loads(await self.read(response))["result"]["task"]
                ((part,),) = (artifact["parts"] for artifact in task["artifacts"])
                return part["data"]

            yield call
