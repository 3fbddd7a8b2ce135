"""State shared by the requests of one server."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, Mapping
from math import ceil
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from adapter_host import PRINCIPAL, Settings, StoreUnavailableError, address_reader
from adapter_host_mcp.replicas.records import ENDED

from .described_responses import DescribedResponses
from .headers import empty_response
from .request import HttpError
from .responses import ActiveResponses
from .sessions import SESSION_HEADER, Session, Sessions, UnknownSessionError
from .sse import COMMENT, ChangeStreams, EventQueue, EventStream, TooManyStreamsError

if TYPE_CHECKING:
    from adapter_host_mcp.features.descriptions import RequestDescriber
    from adapter_host_mcp.replicas.link import ReplicaLink

LIST_CHANGED: Final = (
    "notifications/tools/list_changed",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
)
"""Notifications after a reload, when every list may have changed."""


_MAX_ID: Final = 1000
"""Maximum characters of the id of a request that another replica can cancel."""


class ServerState:
    """State shared by the fast path and the SDK endpoint: sessions, responses in progress and change streams.

    `replicas` is the link to other replicas, None without a store that they share. `describer` describes requests for
    telemetry, None if nothing reads that.
    """

    def __init__(
        self,
        settings: Settings,
        key: bytes,
        replicas: ReplicaLink | None = None,
        describer: RequestDescriber | None = None,
    ) -> None:
        self.body_limit = settings.body_limit
        self.logs_calls = settings.access_log is not None
        self.key = key
        self.sessions = Sessions(key)
        self.responses = ActiveResponses(replicas) if describer is None else DescribedResponses(replicas, describer)
        self.change_streams = ChangeStreams()
        self.replicas = replicas
        self._address_of = address_reader(settings.trusted_proxies)
        if replicas is not None:
            replicas.serve(self.publish_changes)
            replicas.on("cancel", self._receive_cancellation)

    def publish_changes(self) -> None:
        """Notify listening clients of this process that the lists have changed."""
        for change in LIST_CHANGED:
            self.change_streams.publish(change)

    async def session(self, request: web.Request) -> Session | None:
        """Return the session of a request, if any; raise `HttpError` for a deleted one, or one of another principal."""
        signed_id = request.headers.get(SESSION_HEADER)
        if signed_id is None:
            return None
        try:
            session = self.sessions.find(signed_id, principal_identity(request))
            if session is not None and self.replicas is not None:
                await self._read_record(session, self.replicas)
        except UnknownSessionError:
            # One response for both, so that it does not show whether another principal has this session.
            raise HttpError(404, "the session does not exist; send 'initialize' again") from None
        return session

    async def _read_record(self, session: Session, replicas: ReplicaLink) -> None:
        try:
            record = await replicas.records.read(session.id)
        except StoreUnavailableError:
            # The signature and the owner are checked; what this process knows decides about the rest.
            return
        if record == ENDED:
            self.sessions.end(session)
            raise UnknownSessionError
        if record is not None and record.decode() != self.sessions.log_level(session):
            self.sessions.set_log_level(session, record.decode())

    async def set_log_level(self, session: Session, log_level: str) -> None:
        """Store the log level of a client; raise `StoreUnavailableError`."""
        if self.replicas is not None:
            await self.replicas.records.set_log_level(session.id, log_level, _seconds_left(session))
        self.sessions.set_log_level(session, log_level)

    async def cancel(self, session: Session, request_id: str | int) -> None:
        """Cancel a request of a session, in this replica or another; unknown ids are ignored. Raise `HttpError`."""
        if self.responses.cancel(session.id, request_id) or self.replicas is None or not _is_short(request_id):
            return
        try:
            await self.replicas.send("cancel", session=session.id, request=request_id)
        except StoreUnavailableError as error:
            raise unavailable(error) from None

    async def _receive_cancellation(self, content: Mapping[str, Any]) -> None:
        self.responses.cancel(content["session"], content["request"])

    def client(self, request: web.Request) -> str | None:
        """Return the principal or the address of a client, or None for a trusted proxy, which has many clients."""
        identity = principal_identity(request)
        return f"principal {identity}" if identity else self._address_of(request.remote or "")

    async def listen(self, request: web.Request) -> web.StreamResponse:
        """Stream change notifications, or the remaining events of the detached stream in `Last-Event-ID`."""
        session, token = await self.session(request), request.headers.get("Last-Event-ID")
        resumption = await self._resumption(session, token) if session is not None and token is not None else None
        try:
            return await (
                self._stream_changes(request, EventQueue())
                if resumption is None
                else _stream_events(request, resumption)
            )
        except TooManyStreamsError:
            raise HttpError(503, "too many open streams; retry later") from None

    async def _resumption(self, session: Session, token: str) -> AsyncIterable[bytes] | None:
        try:
            return await self.responses.resumption(session.id, token)
        except StoreUnavailableError as error:
            raise unavailable(error) from None

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

    async def end_session(self, request: web.Request) -> web.Response:
        """Delete the session of a request; raise `HttpError`."""
        session = await self.session(request)
        if session is None:
            return empty_response(204)
        if self.replicas is not None:
            try:
                await self.replicas.records.end(session.id, _seconds_left(session))
            except StoreUnavailableError as error:
                raise unavailable(error) from None
        self.sessions.end(session)
        return empty_response(204)


def unavailable(error: StoreUnavailableError) -> HttpError:
    """Return the error of a request that needs other replicas while the state store is unavailable."""
    return HttpError(503, error.message, {"Retry-After": str(max(1, ceil(error.retry_after or 1)))})


def _seconds_left(session: Session) -> float:
    return max(1.0, session.expires - time.time())


def _is_short(request_id: str | int) -> bool:
    """Return whether a request id fits into a message to other replicas."""
    return len(request_id) <= _MAX_ID if isinstance(request_id, str) else abs(request_id) < 2**53


def principal_identity(request: web.Request) -> str:
    """Return the identity of the principal that sent a request; an empty string without authentication."""
    principal = request.get(PRINCIPAL)
    return "" if principal is None else principal.identity


async def _stream_events(request: web.Request, queue: AsyncIterable[bytes]) -> web.StreamResponse:
    stream = EventStream(request)
    await stream.write(COMMENT)
    async for event in queue:
        await stream.write(event)
        if not stream.alive:
            break
    return await stream.end()
