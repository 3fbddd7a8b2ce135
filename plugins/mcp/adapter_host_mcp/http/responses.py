"""All responses in progress: heartbeats, cancellation and detached streams."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterable, Awaitable
from typing import TYPE_CHECKING, Final

from aiohttp import web

from .response import RequestInfo, ResponseStream
from .sse import EventQueue
from .stored_streams import RESUME_TIMEOUT, StoredStreams

if TYPE_CHECKING:
    from adapter_host_mcp.replicas.link import ReplicaLink

HEARTBEAT_INTERVAL: Final = 5.0
"""Seconds between heartbeats of a long call; the first is sent after one to two intervals."""

MAX_RESUMABLE: Final = 1000
"""Maximum number of detached streams per exposer."""

_TOKEN_SIZE: Final = 8
_TOKEN: Final = re.compile(r"[0-9a-f]{16}")


class ActiveResponses:
    """The responses in progress of one exposer; with `replicas`, its detached streams are in their store."""

    def __init__(self, replicas: ReplicaLink | None = None) -> None:
        self._stored: StoredStreams | None = None
        if replicas is not None and replicas.sealer is not None:
            self._stored = StoredStreams(replicas, replicas.sealer)
        self._open: set[ResponseStream[RequestInfo]] = set()
        self._by_key: dict[tuple[str, str | int], ResponseStream[RequestInfo]] = {}
        self._heartbeats: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._resumptions: dict[tuple[str, str], EventQueue] = {}

    def __len__(self) -> int:
        stored = 0 if self._stored is None else len(self._stored)
        return len(self._open) + len(self._resumptions) + stored

    def add(self, response: ResponseStream[RequestInfo]) -> None:
        """Register a response."""
        self._open.add(response)
        if cancel_key := response.request_info.cancel_key:
            self._by_key[cancel_key] = response
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(HEARTBEAT_INTERVAL, self._send_heartbeats)

    def remove(self, response: ResponseStream[RequestInfo]) -> None:
        """Remove a response and close it."""
        self._open.discard(response)
        response.close()
        cancel_key = response.request_info.cancel_key
        if cancel_key and self._by_key.get(cancel_key) is response:
            del self._by_key[cancel_key]

    async def run(
        self, response: ResponseStream[RequestInfo], handler: Awaitable[web.StreamResponse]
    ) -> web.StreamResponse:
        """Await the handler of a response; end the response without a result when its client cancels it."""
        self.add(response)
        try:
            return await handler
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not response.cancelled or task is None or task.uncancel():
                raise
            return await response.end_without_result()
        finally:
            self.remove(response)

    def cancel(self, session: str, request_id: str | int) -> bool:
        """Cancel a request by its id; return whether it is in progress here."""
        response = self._by_key.get((session, request_id))
        if response is None:
            return False
        response.cancel()
        return True

    async def detach(self, response: ResponseStream[RequestInfo]) -> None:
        """Close a response's stream and keep its queue for the client; do nothing when too many are kept."""
        session = response.request_info.session
        if (
            session is None
            or response.detached is None
            or response.detached.is_set()
            or len(self._resumptions) >= MAX_RESUMABLE
        ):
            return
        token = secrets.token_hex(_TOKEN_SIZE)
        resumption = None
        if self._stored is not None:
            resumption = await self._stored.open(session.id, token)
        if resumption is None:
            # Without a store, only this process can resume the stream.
            resumption = self._resumptions[session.id, token] = EventQueue()
            asyncio.get_running_loop().call_later(RESUME_TIMEOUT, self._resumptions.pop, (session.id, token), None)
        await response.detach(token, resumption)

    async def resumption(self, session: str, token: str) -> AsyncIterable[bytes] | None:
        """Return the events of a detached stream, once, or None when there is none; raise `StoreUnavailableError`."""
        local = self._resumptions.pop((session, token), None)
        if local is not None or self._stored is None or not _TOKEN.fullmatch(token):
            return local
        return await self._stored.claim(session, token)

    async def stop(self) -> None:
        """Write the last events of detached streams to the store."""
        if self._stored is not None:
            await self._stored.stop()

    def _send_heartbeats(self) -> None:
        # One timer for all responses, as one per call would be expensive.
        self._timer = (
            asyncio.get_running_loop().call_later(HEARTBEAT_INTERVAL, self._send_heartbeats) if self._open else None
        )
        for response in self._open:
            response.heartbeat_ticks += 1
            if response.heartbeat_ticks > 1 and response.can_heartbeat:
                task = asyncio.create_task(response.heartbeat())
                self._heartbeats.add(task)
                task.add_done_callback(self._heartbeats.discard)
