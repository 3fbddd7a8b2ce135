"""EchoExposer fulfils the contract of exposers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from adapter_host.testing import CallFailedError, ExposerContract


class TestContract(ExposerContract):
    """The contract of exposers."""

    def exposes(self, operations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        return {"type": "echo", "namespace": "front", "port": 0, "operations": list(operations)}

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[Callable[[str, Mapping[str, Any]], Awaitable[Any]]]:
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)

        async def call(operation: str, arguments: Mapping[str, Any]) -> Any:
            writer.write(f"{operation} {json.dumps(arguments)}\n".encode())
            response = json.loads(await reader.readline())
            if "error" in response:
                place = (response["parameter"], response.get("pointer")) if "parameter" in response else None
                kind, sent = response["status"], response.get("sent")
                raise CallFailedError(f"{kind} {response['error']}", kind=kind, sent=sent, place=place)
            return response["result"]

        try:
            yield call
        finally:
            writer.close()
