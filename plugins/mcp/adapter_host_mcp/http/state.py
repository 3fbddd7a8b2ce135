"""State that the requests of one server share."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from .request import RefusalError
from .responses import ActiveResponses
from .sessions import HEADER, EndedError, Session, Sessions
from .sse import COMMENT, EventQueue, EventStream, FullError, Streams


class ServerState:
    """What requests leave behind for each other, whoever answers them: little, the rest is with the clients."""

    def __init__(self, body_limit: int, key: bytes) -> None:
        self.body_limit = body_limit
        self.key = key
        self.sessions = Sessions(key)
        self.active_responses = ActiveResponses()
        self.streams = Streams()

    def session(self, request: web.Request) -> Session | None:
        """Return the session that a request names; raises `RefusalError`."""
        sealed = request.headers.get(HEADER)
        if sealed is None:
            return None
        try:
            return self.sessions.find(sealed)
        except EndedError:
            raise RefusalError(404, "this session has been ended by its client") from None

    async def listen(self, request: web.Request) -> web.StreamResponse:
        """Tell of changes until either side ends it, or the rest of a reply that its client comes back for."""
        session, token = self.session(request), request.headers.get("Last-Event-ID")
        rest = self.active_responses.rest(session.id, token) if session is not None and token is not None else None
        try:
            return await (self._tell(request, EventQueue()) if rest is None else _send(request, rest))
        except FullError:
            raise RefusalError(503, "too many clients listen already") from None

    async def _tell(self, request: web.Request, news: EventQueue) -> web.StreamResponse:
        def hear(change: Any) -> None:
            # What is no name is news for those that have asked the SDK for it.
            if isinstance(change, str):
                news.put(orjson.dumps({"jsonrpc": "2.0", "method": change}))

        unsubscribe = self.streams.subscribe(hear)
        try:
            with self.streams.place(news.close):
                return await _send(request, news)
        finally:
            unsubscribe()

    def end(self, request: web.Request) -> web.Response:
        """End a session: nothing is kept of it but that it has ended."""
        session = self.session(request)
        if session is not None:
            self.sessions.end(session)
        return web.Response(status=204)


async def _send(request: web.Request, news: EventQueue) -> web.StreamResponse:
    stream = EventStream(request)
    await stream.write(COMMENT)
    async for event in news:
        await stream.write(event)
        if not stream.alive:
            break
    return await stream.end()
