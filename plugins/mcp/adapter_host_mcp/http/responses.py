"""All responses in progress: heartbeats, cancellation and detached streams."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable
from typing import Final

from aiohttp import web

from .response import RequestInfo, ResponseStream
from .sse import EventQueue

HEARTBEAT_INTERVAL: Final = 5.0
"""Seconds between heartbeats of a long call; the first is sent after one to two intervals."""

RESUME_TIMEOUT: Final = 300.0
"""Seconds for which a detached stream waits for its client."""

MAX_RESUMABLE: Final = 1000
"""Maximum number of detached streams per exposer."""


class ActiveResponses:
    """The responses in progress of one exposer."""

    def __init__(self) -> None:
        self._open: set[ResponseStream[RequestInfo]] = set()
        self._by_key: dict[tuple[str, str | int], ResponseStream[RequestInfo]] = {}
        self._heartbeats: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._resumptions: dict[tuple[str, str], EventQueue] = {}

    def __len__(self) -> int:
        return len(self._open) + len(self._resumptions)

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

    def cancel(self, session: str, request_id: str | int) -> None:
        """Cancel a request by its id; unknown ids are ignored."""
        response = self._by_key.get((session, request_id))
        if response is not None:
            response.cancel()

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
        key = (session.id, secrets.token_hex(8))
        self._resumptions[key] = resumption = EventQueue()
        asyncio.get_running_loop().call_later(RESUME_TIMEOUT, self._resumptions.pop, key, None)
        await response.detach(key[1], resumption)

    def resumption(self, session: str, token: str) -> EventQueue | None:
        """Remove and return the queue of a detached stream, or None when there is none."""
        return self._resumptions.pop((session, token), None)

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
