"""The reply to one request: a JSON document, unless something has to be said ahead of the result."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

import orjson
from aiohttp import web
from multidict import CIMultiDict

from adapter_host_mcp.protocol import JSON

from .sse import COMMENT, EventQueue, EventStream, event

if TYPE_CHECKING:
    from .sessions import Session

RETRY: Final = 500
"""Milliseconds after which a client comes back for the rest of a stream that was ended ahead of the result."""

_HEADERS: Final = CIMultiDict({"Content-Type": JSON})


class RequestInfo(Protocol):
    """The request of a reply, as far as that has to know it."""

    @property
    def name(self) -> tuple[str, str | int] | None:
        """What its client may name it by when it cancels it."""

    @property
    def progress_token(self) -> str | int | None:
        """What the client wants progress to be marked with."""

    @property
    def session(self) -> Session | None:
        """The session that it belongs to."""


AskedT_co = TypeVar("AskedT_co", bound=RequestInfo, covariant=True)


class ResponseStream(Generic[AskedT_co]):
    """One reply in progress. It is undecided, until a message ahead of the result makes it a stream of events.

    `streams` says whether the client takes one. `detached` is set when a handler has the stream ended ahead of the
    result: the client comes back for the rest.
    """

    __slots__ = (
        "_reported",
        "_request",
        "_rest",
        "_stream",
        "beats",
        "cancelled",
        "detached",
        "exchange",
        "streams",
        "task",
    )

    def __init__(self, request: web.Request, exchange: AskedT_co, *, streams: bool) -> None:
        self.exchange = exchange
        self.beats = 0
        self.cancelled = False
        self.streams = streams
        self.detached: asyncio.Event | None = None
        self.task = asyncio.current_task()
        self._request = request
        self._rest: EventQueue | None = None
        self._stream: EventStream | None = None
        self._reported = False

    async def send(self, message: Mapping[str, Any]) -> None:
        """Say something ahead of the result; a client that takes no stream does not hear it."""
        self._reported = self._reported or message.get("method") == "notifications/progress"
        if self.streams:
            await self._say(orjson.dumps(message))

    async def heartbeat(self) -> None:
        """Show that the call goes on: as progress, if the client asked for it and hears none otherwise."""
        if not self.beatable:
            return
        token = self.exchange.progress_token
        if token is None or self._reported:
            await self._write(COMMENT)
            return
        params = {"progressToken": token, "progress": self.beats}
        message = {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}
        await self._write(event(orjson.dumps(message)))

    @property
    def headers(self) -> Mapping[str, str]:
        """Those of the HTTP request."""
        return self._request.headers

    @property
    def beatable(self) -> bool:
        """Whether a sign of life can be sent: the client waits for it, and nothing else is being written."""
        return self.streams and self._rest is None and (self._stream is None or not self._stream.busy)

    async def part(self, token: str, rest: EventQueue) -> None:
        """End the stream; what is still to be said waits in `rest`, which the client will name by `token`."""
        await self._write(b"id: %b\nretry: %d\ndata:\n\n" % (token.encode(), RETRY))
        self._rest = rest
        if self.detached is not None:
            self.detached.set()

    async def _say(self, message: bytes) -> None:
        if self._rest is not None:
            self._rest.put(message)
        else:
            await self._write(event(message))

    async def _write(self, data: bytes) -> None:
        if self._stream is None:
            self._stream = EventStream(self._request)
        await self._stream.write(data)

    async def finish(
        self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> web.StreamResponse:
        """End with the result, or with an error."""
        if self._stream is None:
            shown = _HEADERS.copy()
            if headers is not None:
                shown.update(headers)
            return web.Response(body=body, status=status, headers=shown)
        await self._say(body)
        return await self._stream.end()

    async def abandon(self) -> web.StreamResponse:
        """End without a result: the client has cancelled the request, or comes back for it."""
        return web.Response(status=202) if self._stream is None else await self._stream.end()

    def close(self) -> None:
        """Say nothing more."""
        self.streams = False
        if self._rest is not None:
            self._rest.close()

    def cancel(self) -> None:
        """Cancel the call, for the client."""
        self.cancelled = True
        if self.task is not None:
            self.task.cancel()
