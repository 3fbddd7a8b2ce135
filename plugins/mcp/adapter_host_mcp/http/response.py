"""The reply to one request: a JSON document, unless something has to be said ahead of the result."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

import orjson
from aiohttp import web
from multidict import CIMultiDict

from adapter_host_mcp.protocol import JSON_MEDIA_TYPE

from .sse import COMMENT, EventQueue, EventStream, format_event

if TYPE_CHECKING:
    from .sessions import Session

RETRY_MS: Final = 500
"""Milliseconds after which a client comes back for the rest of a stream that was ended ahead of the result."""

_HEADERS: Final = CIMultiDict({"Content-Type": JSON_MEDIA_TYPE})


class RequestInfo(Protocol):
    """The request of a reply, as far as that has to know it."""

    @property
    def cancel_key(self) -> tuple[str, str | int] | None:
        """What its client may name it by when it cancels it."""

    @property
    def progress_token(self) -> str | int | None:
        """What the client wants progress to be marked with."""

    @property
    def session(self) -> Session | None:
        """The session that it belongs to."""


RequestT_co = TypeVar("RequestT_co", bound=RequestInfo, covariant=True)


class ResponseStream(Generic[RequestT_co]):
    """One reply in progress. It is undecided, until a message ahead of the result makes it a stream of events.

    `streams` says whether the client takes one. `parted` is set when a handler has the stream ended ahead of the
    result: the client comes back for the rest.
    """

    __slots__ = (
        "_progress_sent",
        "_request",
        "_resumption",
        "_stream",
        "accepts_sse",
        "cancelled",
        "detached",
        "heartbeat_ticks",
        "request_info",
        "task",
    )

    def __init__(self, request: web.Request, request_info: RequestT_co, *, accepts_sse: bool) -> None:
        self.request_info = request_info
        self.heartbeat_ticks = 0
        self.cancelled = False
        self.accepts_sse = accepts_sse
        self.detached: asyncio.Event | None = None
        self.task = asyncio.current_task()
        self._request = request
        self._resumption: EventQueue | None = None
        self._stream: EventStream | None = None
        self._progress_sent = False

    async def send(self, message: Mapping[str, Any]) -> None:
        """Say something ahead of the result; a client that takes no stream does not hear it."""
        self._progress_sent = self._progress_sent or message.get("method") == "notifications/progress"
        if self.accepts_sse:
            await self._send_event(orjson.dumps(message))

    async def heartbeat(self) -> None:
        """Show that the call goes on: as progress, if the client asked for it and hears none otherwise."""
        if not self.can_heartbeat:
            return
        token = self.request_info.progress_token
        if token is None or self._progress_sent:
            await self._write(COMMENT)
            return
        params = {"progressToken": token, "progress": self.heartbeat_ticks}
        message = {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}
        await self._write(format_event(orjson.dumps(message)))

    @property
    def headers(self) -> Mapping[str, str]:
        """Those of the HTTP request."""
        return self._request.headers

    @property
    def can_heartbeat(self) -> bool:
        """Whether a sign of life can be sent: the client waits for it, and nothing else is being written."""
        return self.accepts_sse and self._resumption is None and (self._stream is None or not self._stream.busy)

    async def detach(self, token: str, resumption: EventQueue) -> None:
        """End the stream; what is still to be said waits in `rest`, which the client will name by `token`."""
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
        """End with the result, or with an error."""
        if self._stream is None:
            merged = _HEADERS.copy()
            if headers is not None:
                merged.update(headers)
            return web.Response(body=body, status=status, headers=merged)
        await self._send_event(body)
        return await self._stream.end()

    async def end_without_result(self) -> web.StreamResponse:
        """End without a result: the client has cancelled the request, or comes back for it."""
        return web.Response(status=202) if self._stream is None else await self._stream.end()

    def close(self) -> None:
        """Say nothing more."""
        self.accepts_sse = False
        if self._resumption is not None:
            self._resumption.close()

    def cancel(self) -> None:
        """Cancel the call, for the client."""
        self.cancelled = True
        if self.task is not None:
            self.task.cancel()
