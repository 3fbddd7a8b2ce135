"""Server-sent events: streams, event queues, and the bus for change notifications."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from aiohttp import web

from adapter_host_mcp.protocol import SSE_MEDIA_TYPE

from .headers import HEADERS

MAX_STREAMS: Final = 1000
"""Maximum number of change streams per exposer; each costs a connection and a few KiB."""

MAX_STREAMS_PER_CLIENT: Final = 100
"""Maximum number of change streams of one principal or address."""

STREAM_LIFETIME: Final = 1800.0
"""Seconds after which a change stream is closed; clients then open another."""

KEEP_ALIVE_INTERVAL: Final = 15.0
"""Seconds without events until a comment is sent, to keep proxies from closing and to detect lost clients."""

MAX_QUEUED: Final = 64
"""Maximum number of events queued for one client; beyond it the stream is closed."""

WRITE_TIMEOUT: Final = 30.0
"""Seconds that a write may block before the connection is aborted."""

COMMENT: Final = b":\n\n"

Listener = Callable[[Any], None]

_HEADERS: Final = {**HEADERS, "Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}


class TooManyStreamsError(Exception):
    """The maximum number of streams is open, in total or for one client."""


def format_event(message: bytes) -> bytes:
    """Format a message as a server-sent event."""
    return b"event: message\ndata: %b\n\n" % message


class EventStream:
    """A response of server-sent events; writes are dropped once the client is disconnected."""

    def __init__(self, request: web.Request) -> None:
        self.alive = True
        self._lock = asyncio.Lock()
        self._request = request
        self._response = web.StreamResponse(headers=_HEADERS)
        self._response.content_type = SSE_MEDIA_TYPE

    @property
    def busy(self) -> bool:
        """True while a write is in progress."""
        return self._lock.locked()

    async def write(self, data: bytes) -> None:
        """Send `data`, with the response headers on first use; abort when the client does not read."""
        async with self._lock:
            if self.alive:
                await self._write(data)
            else:
                # A handler that writes in a loop must yield to be cancelled.
                await asyncio.sleep(0)

    async def _write(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(WRITE_TIMEOUT):
                if not self._response.prepared:
                    await self._response.prepare(self._request)
                await self._response.write(data)
        except TimeoutError:
            self.alive = False
            if self._request.transport is not None:
                self._request.transport.abort()
        except ConnectionError:
            self.alive = False

    async def end(self) -> web.StreamResponse:
        """Return the response for aiohttp to end, after pending writes."""
        async with self._lock:
            return self._response


class ChangeStreams:
    """The open change streams, and the bus that publishes changes to them."""

    def __init__(self) -> None:
        self._listeners: dict[object, Listener] = {}
        self._open: dict[object, Callable[[], None]] = {}
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def publish(self, change: Any) -> None:
        """Call every listener with `change`."""
        for listener in list(self._listeners.values()):
            listener(change)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; return the function that removes it."""
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe

    @contextmanager
    def track(self, close: Callable[[], None], client: str | None) -> Iterator[None]:
        """Register an open stream with the function that closes it; raise `TooManyStreamsError`.

        `client` identifies the client; None has no limit of its own.
        """
        counts = self._counts
        if len(self._open) >= MAX_STREAMS or (client is not None and counts[client] >= MAX_STREAMS_PER_CLIENT):
            raise TooManyStreamsError
        token = object()
        self._open[token] = close
        if client is not None:
            counts[client] += 1
        try:
            yield
        finally:
            del self._open[token]
            if client is not None:
                counts[client] -= 1
                if not counts[client]:
                    del counts[client]

    def close(self) -> None:
        """Close every stream after its queued events."""
        for close in list(self._open.values()):
            close()


class EventQueue:
    """The bounded event queue of one stream."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_QUEUED + 1)

    def put(self, message: bytes) -> None:
        """Add a message; close the stream after the queued events when the queue is full."""
        if self._queue.qsize() < MAX_QUEUED:
            self._queue.put_nowait(message)
        else:
            self.close()

    def close(self) -> None:
        """Close the stream after the queued events."""
        if not self._queue.full():
            self._queue.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the events, and comments as keep-alive, until the stream is closed or its lifetime ends."""
        clock = asyncio.get_running_loop().time
        end = clock() + STREAM_LIFETIME
        while clock() < end and (message := await self._next()) is not None:
            yield message

    async def _next(self) -> bytes | None:
        try:
            async with asyncio.timeout(KEEP_ALIVE_INTERVAL):
                message = await self._queue.get()
        except TimeoutError:
            return COMMENT
        return None if message is None else format_event(message)
