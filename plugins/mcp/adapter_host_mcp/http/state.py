"""State that the requests of one server share."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from .request import HttpError
from .responses import ActiveResponses
from .sessions import SESSION_HEADER, Session, SessionEndedError, Sessions
from .sse import COMMENT, ChangeStreams, EventQueue, EventStream, TooManyStreamsError


class ServerState:
    """What requests leave behind for each other, whoever answers them: little, the rest is with the clients."""

    def __init__(self, body_limit: int, key: bytes) -> None:
        self.body_limit = body_limit
        self.key = key
        self.sessions = Sessions(key)
        self.responses = ActiveResponses()
        self.change_streams = ChangeStreams()

    def session(self, request: web.Request) -> Session | None:
        """The session that a request names; raises `Refusal`."""
        signed_id = request.headers.get(SESSION_HEADER)
        if signed_id is None:
            return None
        try:
            return self.sessions.find(signed_id)
        except SessionEndedError:
            raise HttpError(404, "this session has been ended by its client") from None

    async def listen(self, request: web.Request) -> web.StreamResponse:
        """Tell of changes until either side ends it, or the rest of a reply that its client comes back for."""
        session, token = self.session(request), request.headers.get("Last-Event-ID")
        resumption = self.responses.resumption(session.id, token) if session is not None and token is not None else None
        try:
            return await (
                self._stream_changes(request, EventQueue())
                if resumption is None
                else _stream_events(request, resumption)
            )
        except TooManyStreamsError:
            raise HttpError(503, "too many clients listen already") from None

    async def _stream_changes(self, request: web.Request, queue: EventQueue) -> web.StreamResponse:
        def on_change(change: Any) -> None:
            # What is no name is news for those that have asked the SDK for it.
            if isinstance(change, str):
                queue.put(orjson.dumps({"jsonrpc": "2.0", "method": change}))

        unsubscribe = self.change_streams.subscribe(on_change)
        try:
            with self.change_streams.track(queue.close):
                return await _stream_events(request, queue)
        finally:
            unsubscribe()

    def end_session(self, request: web.Request) -> web.Response:
        """End a session: nothing is kept of it but that it has ended."""
        session = self.session(request)
        if session is not None:
            self.sessions.end(session)
        return web.Response(status=204)


async def _stream_events(request: web.Request, queue: EventQueue) -> web.StreamResponse:
    stream = EventStream(request)
    await stream.write(COMMENT)
    async for event in queue:
        await stream.write(event)
        if not stream.alive:
            break
    return await stream.end()
