"""Open streams: server-sent events, and the news that they carry until client or server ends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from aiohttp import web

MAX_STREAMS: Final = 1000
"""How many streams one exposer holds open for news; each costs a connection and a few KiB."""

STREAM_LIFETIME: Final = 1800.0
"""Seconds after which a stream for news is ended; a client that still listens opens another."""

KEEP_ALIVE_INTERVAL: Final = 15.0
"""Seconds of silence after which a comment goes out, by which proxies and vanished clients are found."""

MAX_QUEUED: Final = 64
"""News that wait for one client; one that is further behind loses its stream, and reads the lists anew."""

WRITE_TIMEOUT: Final = 30.0
"""Seconds that a client may leave its stream unread before the connection is cut."""

COMMENT: Final = b":\n\n"

Listener = Callable[[Any], None]

_HEADERS: Final = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}


class TooManyStreamsError(Exception):
    """No further stream is taken."""


def format_event(message: bytes) -> bytes:
    """A message as a server-sent event."""
    return b"event: message\ndata: %b\n\n" % message


class EventStream:
    """An answer of server-sent events; once its client is gone, what is written to it is lost."""

    def __init__(self, request: web.Request) -> None:
        self.alive = True
        self._lock = asyncio.Lock()
        self._request = request
        self._response = web.StreamResponse(headers=_HEADERS)
        self._response.content_type = "text/event-stream"

    @property
    def busy(self) -> bool:
        """Whether something is being written."""
        return self._lock.locked()

    async def write(self, data: bytes) -> None:
        """Send `data`, and the head before the first; a client that reads nothing is cut off."""
        async with self._lock:
            if self.alive:
                await self._write(data)
            else:
                # Whoever writes on and on must let the loop come to cancelling it.
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
        """The response, for the server to end, once nothing is being written any longer."""
        async with self._lock:
            return self._response


class ChangeStreams:
    """The streams that are open for news, and the bus that carries news to them."""

    def __init__(self) -> None:
        self._listeners: dict[object, Listener] = {}
        self._open: dict[object, Callable[[], None]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def publish(self, change: Any) -> None:
        """Give news to every listener."""
        for listener in list(self._listeners.values()):
            listener(change)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` called with news until the function that this gives is called."""
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe

    @contextmanager
    def track(self, close: Callable[[], None]) -> Iterator[None]:
        """Count a stream in while it is open; `close` ends it. Raises `FullError`."""
        if len(self._open) >= MAX_STREAMS:
            raise TooManyStreamsError
        token = object()
        self._open[token] = close
        try:
            yield
        finally:
            del self._open[token]

    def close(self) -> None:
        """End every stream; each says what it still has to say."""
        for close in list(self._open.values()):
            close()


class EventQueue:
    """What one stream has to say: bounded, and ended by `close`."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_QUEUED + 1)

    def put(self, message: bytes) -> None:
        """Add a message; the stream ends after those that wait when there are too many."""
        if self._queue.qsize() < MAX_QUEUED:
            self._queue.put_nowait(message)
        else:
            self.close()

    def close(self) -> None:
        """End the stream after what it still has to say."""
        if not self._queue.full():
            self._queue.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The events, with a comment after each silence, until the end."""
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
