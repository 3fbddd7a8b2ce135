"""Requests of ours to clients, which only the revisions with a handshake know, and their answers."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, REQUEST_TIMEOUT, JSONRPCError, JSONRPCResponse

from adapter_host_mcp.http.sessions import Session

LIMIT: Final = 1000
"""Requests of ours that may wait for clients at a time, by exposer."""

PATIENCE: Final = 600.0
"""Seconds that a client, and the person before it, may take to answer."""

Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class ClientRequests:
    """The requests that wait for a client's answer; they live in this process, so the answer must come to it."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str | int], asyncio.Future[dict[str, Any]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def ask(
        self, session: Session, send: Send, method: str, params: Mapping[str, Any] | None, patience: float | None = None
    ) -> dict[str, Any]:
        """Send a request and wait for its result; raises `MCPError`."""
        if len(self._waiting) >= LIMIT:
            raise MCPError(INTERNAL_ERROR, "too many requests wait for clients already")
        # Not to be guessed, so that no other client can answer.
        identity = secrets.token_hex(8)
        key = (session.id, identity)
        self._waiting[key] = answered = asyncio.get_running_loop().create_future()
        message = {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}
        try:
            async with asyncio.timeout(PATIENCE if patience is None else patience):
                await send({name: value for name, value in message.items() if value is not None})
                result: dict[str, Any] = await answered
                return result
        except TimeoutError:
            raise MCPError(REQUEST_TIMEOUT, f"the client has not answered {method}") from None
        finally:
            del self._waiting[key]

    def answer(self, session: Session | None, message: JSONRPCResponse | JSONRPCError) -> bool:
        """Give a client's answer to whom waits for it; false when nobody does."""
        if session is None or message.id is None:
            return False
        answered = self._waiting.get((session.id, message.id))
        if answered is None or answered.done():
            return False
        if isinstance(message, JSONRPCError):
            answered.set_exception(MCPError.from_error_data(message.error))
        else:
            answered.set_result(message.result)
        return True
