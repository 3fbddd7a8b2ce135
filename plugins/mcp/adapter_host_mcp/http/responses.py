"""The replies in progress: what they have in common."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable
from typing import Final

from aiohttp import web

from .response import RequestInfo, ResponseStream
from .sse import EventQueue

HEARTBEAT_INTERVAL: Final = 5.0
"""Seconds between the signs of life that a client gets while its call takes long; the first comes after one to two."""

RESUME_TIMEOUT: Final = 300.0
"""Seconds for which the rest of a stream that was ended ahead of the result waits for its client."""

MAX_RESUMABLE: Final = 1000
"""How many such rests wait at a time, by exposer."""


class ActiveResponses:
    """The replies in progress: shows waiting clients signs of life, and finds the call that a client cancels."""

    def __init__(self) -> None:
        self._open: set[ResponseStream[RequestInfo]] = set()
        self._by_key: dict[tuple[str, str | int], ResponseStream[RequestInfo]] = {}
        self._heartbeats: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._resumptions: dict[tuple[str, str], EventQueue] = {}

    def __len__(self) -> int:
        return len(self._open) + len(self._resumptions)

    def add(self, response: ResponseStream[RequestInfo]) -> None:
        """Count a reply in."""
        self._open.add(response)
        if cancel_key := response.request_info.cancel_key:
            self._by_key[cancel_key] = response
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(HEARTBEAT_INTERVAL, self._send_heartbeats)

    def remove(self, response: ResponseStream[RequestInfo]) -> None:
        """Count a reply out."""
        self._open.discard(response)
        response.close()
        cancel_key = response.request_info.cancel_key
        if cancel_key and self._by_key.get(cancel_key) is response:
            del self._by_key[cancel_key]

    async def run(
        self, response: ResponseStream[RequestInfo], handler: Awaitable[web.StreamResponse]
    ) -> web.StreamResponse:
        """Await the answer of a reply in progress, unless its client cancels it."""
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
        """Cancel the call that a client has named; one that is over, or was never here, stays as it is."""
        response = self._by_key.get((session, request_id))
        if response is not None:
            response.cancel()

    async def detach(self, response: ResponseStream[RequestInfo]) -> None:
        """End a reply's stream and keep the rest of it for a while; it goes on where too many are kept already."""
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
        """The rest of a stream, for the one client that comes back for it."""
        return self._resumptions.pop((session, token), None)

    def _send_heartbeats(self) -> None:
        # One timer for all: a timer a call would cost more than all the rest of this.
        self._timer = (
            asyncio.get_running_loop().call_later(HEARTBEAT_INTERVAL, self._send_heartbeats) if self._open else None
        )
        for response in self._open:
            response.heartbeat_ticks += 1
            if response.heartbeat_ticks > 1 and response.can_heartbeat:
                task = asyncio.create_task(response.heartbeat())
                self._heartbeats.add(task)
                task.add_done_callback(self._heartbeats.discard)
