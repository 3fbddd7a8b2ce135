"""`/logs/stream`: log records as server-sent events."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import orjson
from aiohttp import web

from adapter_host import HOST, Host
from adapter_host_control.responses import HEADERS, RequestRejectedError

from .log_levels import LEVELS
from .masking import mask_url_credentials

MAX_PENDING_BYTES: Final = 1024 * 1024
"""Maximum unsent bytes of one subscriber; a subscriber that exceeds it is dropped."""

CLOSE_TIMEOUT: Final = 5.0
"""Seconds that an ended subscriber has to receive its pending events."""

HEARTBEAT_INTERVAL: Final = 15.0
"""Seconds without an event until a comment is sent, which detects closed connections."""


class Subscriber:
    """One subscriber and its pending events; `level` is the lowest level it receives."""

    def __init__(self, level: int) -> None:
        self.level = level
        self.ended = asyncio.Event()
        self._pending: deque[bytes] = deque()
        self._pending_bytes = 0
        self._has_events = asyncio.Event()

    def put(self, event: bytes) -> None:
        """Enqueue an event; drop the subscriber if too many bytes are pending."""
        if self._pending_bytes + len(event) > MAX_PENDING_BYTES:
            self.end("dropped: subscriber too slow")
        elif not self.ended.is_set():
            self._add(event)

    def _add(self, event: bytes) -> None:
        self._pending.append(event)
        self._pending_bytes += len(event)
        self._has_events.set()

    def end(self, reason: str) -> None:
        """End the stream after the pending events and a final event with the reason."""
        if not self.ended.is_set():
            self.ended.set()
            self._add(_event("end", {"reason": reason}))

    async def next_event(self) -> bytes | None:
        """Wait for the next event; None after the last one."""
        if not self._pending:
            if self.ended.is_set():
                return None
            self._has_events.clear()
            try:
                async with asyncio.timeout(HEARTBEAT_INTERVAL):
                    await self._has_events.wait()
            except TimeoutError:
                return b": heartbeat\n\n"
        event = self._pending.popleft()
        self._pending_bytes -= len(event)
        return event


class _SubscriberHandler(logging.Handler):
    """Passes log records from any thread to the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, publish: Callable[[logging.LogRecord, str], None]) -> None:
        super().__init__()
        self._loop = loop
        self._publish = publish

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on one record; its message is formatted here, as its arguments may change later."""
        try:
            message = record.getMessage()
        except Exception:  # as in any handler, the logging code must not fail
            self.handleError(record)
            return
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._publish, record, message)


class LogStream:
    """Subscribers of the log; a handler is installed only while there are some."""

    def __init__(self, max_subscribers: int) -> None:
        self._max_subscribers = max_subscribers
        self._host: Host | None = None
        self._subscribers: set[Subscriber] = set()
        self._handler: _SubscriberHandler | None = None

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Stream the log until either side ends the connection."""
        level = request.query.get("level", "debug").lower()
        if level not in LEVELS:
            raise RequestRejectedError(400, f"'level' must be one of {', '.join(LEVELS)}")
        if len(self._subscribers) >= self._max_subscribers:
            raise RequestRejectedError(503, f"too many log subscribers (at most {self._max_subscribers})")
        self._host = request.app[HOST]
        with self._subscribed(logging.getLevelNamesMapping()[level.upper()]) as subscriber:
            return await self._send(request, subscriber)

    def end(self) -> None:
        """End all streams, because of a reload or shutdown."""
        for subscriber in self._subscribers:
            subscriber.end("ended: reload or shutdown")

    @contextmanager
    def _subscribed(self, level: int) -> Iterator[Subscriber]:
        subscriber = Subscriber(level)
        self._subscribers.add(subscriber)
        if self._handler is None:
            self._handler = _SubscriberHandler(asyncio.get_running_loop(), self._publish)
            logging.getLogger().addHandler(self._handler)
        try:
            yield subscriber
        finally:
            self._unsubscribe(subscriber)

    def _unsubscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.discard(subscriber)
        if not self._subscribers and self._handler is not None:
            logging.getLogger().removeHandler(self._handler)
            self._handler = None

    def _publish(self, record: logging.LogRecord, message: str) -> None:
        event = self._log_event(record, message)
        for subscriber in list(self._subscribers):
            if record.levelno >= subscriber.level:
                subscriber.put(event)
            if subscriber.ended.is_set():
                # Frees its place at once, as it may never read the remaining events.
                self._unsubscribe(subscriber)

    def _log_event(self, record: logging.LogRecord, message: str) -> bytes:
        for plan in self._host.plans if self._host is not None else ():
            message = plan.loaded.masked(message)
        data = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _valid_unicode(mask_url_credentials(message)),
            # Only the type, as the text and the traceback may contain secrets.
            **({"exception": record.exc_info[0].__name__} if record.exc_info and record.exc_info[0] else {}),
        }
        return _event("log", data)

    async def _send(self, request: web.Request, subscriber: Subscriber) -> web.StreamResponse:
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        writing = asyncio.ensure_future(_write_events(response, subscriber))
        ended = asyncio.ensure_future(subscriber.ended.wait())
        try:
            await asyncio.wait((writing, ended), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((writing,), timeout=CLOSE_TIMEOUT)
            if not writing.done() and request.transport is not None:
                request.transport.abort()
        finally:
            writing.cancel()
            ended.cancel()
        return response


async def _write_events(response: web.StreamResponse, subscriber: Subscriber) -> None:
    try:
        await response.write(b": connected\n\n")
        while (event := await subscriber.next_event()) is not None:
            await response.write(event)
        await response.write_eof()
    except ConnectionError:
        pass  # the subscriber has disconnected


def _valid_unicode(text: str) -> str:
    """Return text with escapes for lone surrogates, which represent undecodable bytes of headers and file names."""
    return text.encode("utf-8", "backslashreplace").decode()


def _event(name: str, data: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(data))
