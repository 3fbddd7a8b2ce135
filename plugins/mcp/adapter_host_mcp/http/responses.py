"""The replies in progress: what they have in common."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable
from typing import Final

from aiohttp import web

from .response import RequestInfo, ResponseStream
from .sse import EventQueue

BEAT: Final = 5.0
"""Seconds between the signs of life that a client gets while its call takes long; the first comes after one to two."""

KEPT: Final = 300.0
"""Seconds for which the rest of a stream that was ended ahead of the result waits for its client."""

LIMIT: Final = 1000
"""How many such rests wait at a time, by exposer."""


class ActiveResponses:
    """The replies in progress: shows waiting clients signs of life, and finds the call that a client cancels."""

    def __init__(self) -> None:
        self._open: set[ResponseStream[RequestInfo]] = set()
        self._named: dict[tuple[str, str | int], ResponseStream[RequestInfo]] = {}
        self._beats: set[asyncio.Task[None]] = set()
        self._tick: asyncio.TimerHandle | None = None
        self._rests: dict[tuple[str, str], EventQueue] = {}

    def __len__(self) -> int:
        return len(self._open) + len(self._rests)

    def enter(self, reply: ResponseStream[RequestInfo]) -> None:
        """Count a reply in."""
        self._open.add(reply)
        if name := reply.exchange.name:
            self._named[name] = reply
        if self._tick is None:
            self._tick = asyncio.get_running_loop().call_later(BEAT, self._heartbeat)

    def leave(self, reply: ResponseStream[RequestInfo]) -> None:
        """Count a reply out."""
        self._open.discard(reply)
        reply.close()
        name = reply.exchange.name
        if name and self._named.get(name) is reply:
            del self._named[name]

    async def finish(
        self, reply: ResponseStream[RequestInfo], answer: Awaitable[web.StreamResponse]
    ) -> web.StreamResponse:
        """Await the answer of a reply in progress, unless its client cancels it."""
        self.enter(reply)
        try:
            return await answer
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not reply.cancelled or task is None or task.uncancel():
                raise
            return await reply.abandon()
        finally:
            self.leave(reply)

    def cancel(self, session: str, request_id: str | int) -> None:
        """Cancel the call that a client has named; one that is over, or was never here, stays as it is."""
        reply = self._named.get((session, request_id))
        if reply is not None:
            reply.cancel()

    async def part(self, reply: ResponseStream[RequestInfo]) -> None:
        """End a reply's stream and keep the rest of it for a while; it goes on where too many are kept already."""
        session = reply.exchange.session
        if session is None or reply.detached is None or reply.detached.is_set() or len(self._rests) >= LIMIT:
            return
        key = (session.id, secrets.token_hex(8))
        self._rests[key] = rest = EventQueue()
        asyncio.get_running_loop().call_later(KEPT, self._rests.pop, key, None)
        await reply.part(key[1], rest)

    def rest(self, session: str, token: str) -> EventQueue | None:
        """Return the rest of a stream, for the one client that comes back for it."""
        return self._rests.pop((session, token), None)

    def _heartbeat(self) -> None:
        # One timer for all: a timer a call would cost more than all the rest of this.
        self._tick = asyncio.get_running_loop().call_later(BEAT, self._heartbeat) if self._open else None
        for reply in self._open:
            reply.beats += 1
            if reply.beats > 1 and reply.beatable:
                task = asyncio.create_task(reply.heartbeat())
                self._beats.add(task)
                task.add_done_callback(self._beats.discard)
