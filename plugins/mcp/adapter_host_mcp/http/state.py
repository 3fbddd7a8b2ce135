"""State shared by the requests of one server."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from adapter_host import PRINCIPAL, Settings, address_reader

from .headers import empty_response
from .request import HttpError
from .responses import ActiveResponses
from .sessions import SESSION_HEADER, Session, Sessions, UnknownSessionError
from .sse import COMMENT, ChangeStreams, EventQueue, EventStream, TooManyStreamsError


class ServerState:
    """State shared by the fast path and the SDK endpoint: sessions, responses in progress and change streams."""

    def __init__(self, settings: Settings, key: bytes) -> None:
        self.body_limit = settings.body_limit
        self.key = key
        self.sessions = Sessions(key)
        self.responses = ActiveResponses()
        self.change_streams = ChangeStreams()
        self._address_of = address_reader(settings.trusted_proxies)

    def session(self, request: web.Request) -> Session | None:
        """Return the session of a request, if any; raise `HttpError` for a deleted one, or one of another principal."""
        signed_id = request.headers.get(SESSION_HEADER)
        if signed_id is None:
            return None
        try:
            return self.sessions.find(signed_id, principal_identity(request))
        except UnknownSessionError:
            # One response for both, so that it does not show whether another principal has this session.
            raise HttpError(404, "the session does not exist; send 'initialize' again") from None

    def client(self, request: web.Request) -> str | None:
        """Return the principal or the address of a client, or None for a trusted proxy, which has many clients."""
        identity = principal_identity(request)
        return f"principal {identity}" if identity else self._address_of(request.remote or "")

    async def listen(self, request: web.Request) -> web.StreamResponse:
        """Stream change notifications, or the remaining events of the detached stream in `Last-Event-ID`."""
        session, token = self.session(request), request.headers.get("Last-Event-ID")
        resumption = self.responses.resumption(session.id, token) if session is not None and token is not None else None
        try:
            return await (
                self._stream_changes(request, EventQueue())
                if resumption is None
                else _stream_events(request, resumption)
            )
        except TooManyStreamsError:
            raise HttpError(503, "too many open streams; retry later") from None

    async def _stream_changes(self, request: web.Request, queue: EventQueue) -> web.StreamResponse:
        def on_change(change: Any) -> None:
            # Other events belong to subscriptions of the SDK.
            if isinstance(change, str):
                queue.put(orjson.dumps({"jsonrpc": "2.0", "method": change}))

        unsubscribe = self.change_streams.subscribe(on_change)
        try:
            with self.change_streams.track(queue.close, self.client(request)):
                return await _stream_events(request, queue)
        finally:
            unsubscribe()

    def end_session(self, request: web.Request) -> web.Response:
        """Delete the session of a request."""
        session = self.session(request)
        if session is not None:
            self.sessions.end(session)
        return empty_response(204)


def principal_identity(request: web.Request) -> str:
    """Return the identity of the principal that sent a request; an empty string without authentication."""
    principal = request.get(PRINCIPAL)
    return "" if principal is None else principal.identity


async def _stream_events(request: web.Request, queue: EventQueue) -> web.StreamResponse:
    stream = EventStream(request)
    await stream.write(COMMENT)
    async for event in queue:
        await stream.write(event)
        if not stream.alive:
            break
    return await stream.end()
