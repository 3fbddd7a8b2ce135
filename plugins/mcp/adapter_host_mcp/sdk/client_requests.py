"""Requests from the server to clients (sampling, elicitation, roots), in the handshake revisions."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, REQUEST_TIMEOUT, JSONRPCError, JSONRPCResponse

from adapter_host_mcp.http.sessions import Session

from .shared_responses import SharedResponses

if TYPE_CHECKING:
    from adapter_host_mcp.replicas.link import ReplicaLink

MAX_PENDING: Final = 1000
"""Maximum number of pending requests per exposer."""

TIMEOUT: Final = 600.0
"""Seconds to wait for a response, which may need a person."""

Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class ClientRequests:
    """Pending requests to clients; with `replicas`, a response may arrive at another replica."""

    def __init__(self, replicas: ReplicaLink | None = None) -> None:
        self._responses: SharedResponses | None = None
        if replicas is not None and replicas.sealer is not None:
            self._responses = SharedResponses(replicas, replicas.sealer, self._settle)
        self._pending: dict[tuple[str, str | int], asyncio.Future[dict[str, Any]]] = {}

    def __len__(self) -> int:
        return len(self._pending)

    async def send(
        self,
        session: Session,
        send_message: Send,
        method: str,
        params: Mapping[str, Any] | None,
        timeout_seconds: float | None = None,
    ) -> dict[str, Any]:
        """Send a request by `send_message` and wait for its result; raise `MCPError`."""
        if len(self._pending) >= MAX_PENDING:
            raise MCPError(INTERNAL_ERROR, "too many pending requests to clients; retry later")
        # Unguessable, so that no other client can send the response.
        request_id = secrets.token_hex(8)
        key = (session.id, request_id)
        self._pending[key] = future = asyncio.get_running_loop().create_future()
        message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
        wait_for = TIMEOUT if timeout_seconds is None else timeout_seconds
        try:
            async with asyncio.timeout(wait_for):
                if self._responses is not None:
                    await self._responses.expect(key, wait_for)
                await send_message({name: value for name, value in message.items() if value is not None})
                result: dict[str, Any] = await future
                return result
        except TimeoutError:
            raise MCPError(REQUEST_TIMEOUT, f"the client sent no response to {method} in time") from None
        finally:
            del self._pending[key]
            if self._responses is not None:
                await self._responses.forget(key)

    async def resolve(self, session: Session | None, message: JSONRPCResponse | JSONRPCError) -> bool:
        """Resolve the pending request of a response; return False when there is none.

        Raise `StoreUnavailableError` if another replica may have it, and `MCPError` for a response that is too large
        for one.
        """
        if session is None or message.id is None:
            return False
        key = (session.id, message.id)
        if key in self._pending or self._responses is None:
            return self._settle(key, message)
        return await self._responses.deliver(key, message)

    def _settle(self, key: tuple[str, str | int], message: JSONRPCResponse | JSONRPCError) -> bool:
        future = self._pending.get(key)
        if future is None or future.done():
            return False
        if isinstance(message, JSONRPCError):
            future.set_exception(MCPError.from_error_data(message.error))
        else:
            future.set_result(message.result)
        return True
