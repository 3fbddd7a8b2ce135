"""The response to one request: a JSON document, or an event stream when a message precedes the result."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from aiohttp import web
from multidict import CIMultiDict

from adapter_host import ApprovalRequiredError, encode_json
from adapter_host_mcp.protocol import JSON_MEDIA_TYPE

from .headers import HEADERS, REQUEST_ID, empty_response
from .request import REQUIRED
from .sse import COMMENT, EventQueue, EventStream, format_event

if TYPE_CHECKING:
    from .sessions import Session

RETRY_MS: Final = 500
"""Milliseconds after which a client reconnects to a stream that was closed before the result."""

_HEADERS: Final = CIMultiDict({**HEADERS, "Content-Type": JSON_MEDIA_TYPE})


class Message(Protocol):
    """The JSON-RPC message of a request."""

    @property
    def id(self) -> str | int:
        """The id of the request."""

    @property
    def method(self) -> str:
        """The method."""

    @property
    def params(self) -> Mapping[str, Any] | None:
        """The parameters."""


class RequestInfo(Protocol):
    """The parts of a request that its response needs."""

    @property
    def request(self) -> Message:
        """The message."""

    @property
    def cancel_key(self) -> tuple[str, str | int] | None:
        """The session id and request id that `notifications/cancelled` refers to."""

    @property
    def progress_token(self) -> str | int | None:
        """The `progressToken` of the request."""

    @property
    def session(self) -> Session | None:
        """The session of the request."""


RequestT_co = TypeVar("RequestT_co", bound=RequestInfo, covariant=True)


class ResponseStream(Generic[RequestT_co]):
    """One response in progress, which becomes an event stream with the first message before the result.

    `accepts_sse` says whether the client accepts an event stream. `failed_id` is the id of a failed request, which is a
    header of the response unless it is an event stream. `detached` is set when a handler closes the stream
    before the result; the client then reconnects to receive the remaining events.
    """

    __slots__ = (
        "_progress_sent",
        "_request",
        "_resumption",
        "_stream",
        "accepts_sse",
        "cancelled",
        "detached",
        "failed_id",
        "heartbeat_ticks",
        "request_info",
        "task",
    )

    def __init__(self, request: web.Request, request_info: RequestT_co, *, accepts_sse: bool) -> None:
        self.request_info = request_info
        self.heartbeat_ticks = 0
        self.failed_id = ""
        self.cancelled = False
        self.accepts_sse = accepts_sse
        self.detached: asyncio.Event | None = None
        self.task = asyncio.current_task()
        self._request = request
        self._resumption: EventQueue | None = None
        self._stream: EventStream | None = None
        self._progress_sent = False

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send a message before the result; it is dropped when the client accepts no event stream."""
        self._progress_sent = self._progress_sent or message.get("method") == "notifications/progress"
        if self.accepts_sse:
            await self._send_event(encode_json(message))

    async def send_progress(self, progress: int, text: str) -> None:
        """Send a progress notification for the token of the request."""
        params = {"progressToken": self.request_info.progress_token, "progress": progress, "message": text}
        await self.send({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})

    async def heartbeat(self) -> None:
        """Send a heartbeat: a progress notification if the client sent a token and got no other, else a comment."""
        if not self.can_heartbeat:
            return
        token = self.request_info.progress_token
        if token is None or self._progress_sent:
            await self._write(COMMENT)
            return
        params = {"progressToken": token, "progress": self.heartbeat_ticks}
        message = {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}
        await self._write(format_event(encode_json(message)))

    def note_failure(self, request_id: str) -> None:
        """Set the id of the failed request."""
        self.failed_id = request_id

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the HTTP request."""
        return self._request.headers

    @property
    def required_approval(self) -> ApprovalRequiredError | None:
        """The error of the call, if the fast path has made it and a person must approve it."""
        return self._request.get(REQUIRED)

    @property
    def has_begun(self) -> bool:
        """True once anything was sent."""
        return self._stream is not None

    @property
    def can_heartbeat(self) -> bool:
        """True if the client is connected to an event stream and no other write is in progress."""
        return self.accepts_sse and self._resumption is None and (self._stream is None or not self._stream.busy)

    async def detach(self, token: str, resumption: EventQueue) -> None:
        """Close the stream with the event id `token`; further events are queued in `resumption`."""
        await self._write(b"id: %b\nretry: %d\ndata:\n\n" % (token.encode(), RETRY_MS))
        self._resumption = resumption
        if self.detached is not None:
            self.detached.set()

    async def _send_event(self, message: bytes) -> None:
        if self._resumption is not None:
            self._resumption.put(message)
        else:
            await self._write(format_event(message))

    async def _write(self, data: bytes) -> None:
        if self._stream is None:
            self._stream = EventStream(self._request)
        await self._stream.write(data)

    async def finish(
        self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> web.StreamResponse:
        """Send the result or error, and end the response."""
        if self._stream is None:
            merged = _HEADERS.copy()
            if self.failed_id:
                merged[REQUEST_ID] = self.failed_id
            if headers is not None:
                merged.update(headers)
            return web.Response(body=body, status=status, headers=merged)
        await self._send_event(body)
        return await self._stream.end()

    async def end_without_result(self) -> web.StreamResponse:
        """End without a result, after a cancellation or when the stream is detached."""
        return empty_response(202) if self._stream is None else await self._stream.end()

    def close(self) -> None:
        """Drop further messages and close the queue of a detached stream."""
        self.accepts_sse = False
        if self._resumption is not None:
            self._resumption.close()

    def cancel(self) -> None:
        """Cancel the call on behalf of the client."""
        self.cancelled = True
        if self.task is not None:
            self.task.cancel()
