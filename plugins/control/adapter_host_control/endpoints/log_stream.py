"""`/logs/stream`: the log as it is written, as server-sent events."""

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
from adapter_host_control.responses import HEADERS, RefusedRequest

from .log_levels import LEVELS
from .masking import without_credentials

MOST: Final = 1024 * 1024
"""Bytes that wait for one reader; one that lets more wait is dropped."""

FAREWELL: Final = 5.0
"""Seconds that a dropped reader has to take what waits for it."""

HEARTBEAT: Final = 15.0
"""Seconds of silence after which a comment is sent, so that a connection that is gone is seen."""


class Reader:
    """One reader and what waits for it; `level` is the least severe that it wants."""

    def __init__(self, level: int) -> None:
        self.level = level
        self.over = asyncio.Event()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._news = asyncio.Event()

    def put(self, event: bytes) -> None:
        """Have something wait; when that is too much, the reader is dropped."""
        if self._size + len(event) > MOST:
            self.end("dropped: the reader is too slow")
        elif not self.over.is_set():
            self._add(event)

    def _add(self, event: bytes) -> None:
        self._waiting.append(event)
        self._size += len(event)
        self._news.set()

    def end(self, reason: str) -> None:
        """Let it have what waits, and no more than why."""
        if not self.over.is_set():
            self.over.set()
            self._add(_event("end", {"reason": reason}))

    async def take(self) -> bytes | None:
        """What comes next; None after the last."""
        if not self._waiting:
            if self.over.is_set():
                return None
            self._news.clear()
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await self._news.wait()
            except TimeoutError:
                return b": still here\n\n"
        event = self._waiting.popleft()
        self._size -= len(event)
        return event


class _Tap(logging.Handler):
    """Hands records on to the event loop, from whichever thread they come."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tell: Callable[[logging.LogRecord, str], None]) -> None:
        super().__init__()
        self._loop = loop
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one on; the message is made here, since what it is made of may change."""
        try:
            message = record.getMessage()
        except Exception:  # whoever logs gets no error of ours, as with any handler
            self.handleError(record)
            return
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell, record, message)


class LogStream:
    """The readers of the log. Without one, nothing listens to it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._host: Host | None = None
        self._readers: set[Reader] = set()
        self._tap: _Tap | None = None

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Send the log to one more reader, until either side ends it."""
        level = request.query.get("level", "debug").lower()
        if level not in LEVELS:
            raise RefusedRequest(400, f"'level' must be one of {', '.join(LEVELS)}")
        if len(self._readers) >= self._most:
            raise RefusedRequest(503, f"{self._most} read the log already, as many as may")
        self._host = request.app[HOST]
        with self._reading(logging.getLevelNamesMapping()[level.upper()]) as reader:
            return await self._send(request, reader)

    def end(self) -> None:
        """Send everybody away: others serve from now on, or nobody."""
        for reader in self._readers:
            reader.end("ended: reloaded or draining")

    @contextmanager
    def _reading(self, level: int) -> Iterator[Reader]:
        reader = Reader(level)
        self._readers.add(reader)
        if self._tap is None:
            self._tap = _Tap(asyncio.get_running_loop(), self._tell)
            logging.getLogger().addHandler(self._tap)
        try:
            yield reader
        finally:
            self._leave(reader)

    def _leave(self, reader: Reader) -> None:
        self._readers.discard(reader)
        if not self._readers and self._tap is not None:
            logging.getLogger().removeHandler(self._tap)
            self._tap = None

    def _tell(self, record: logging.LogRecord, message: str) -> None:
        event = self._described(record, message)
        for reader in list(self._readers):
            if record.levelno >= reader.level:
                reader.put(event)
            if reader.over.is_set():
                # Its place is free at once: whoever does not read must not keep it.
                self._leave(reader)

    def _described(self, record: logging.LogRecord, message: str) -> bytes:
        for plan in self._host.plans if self._host is not None else ():
            message = plan.loaded.masked(message)
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_credentials(message),
            # Its text and where it came from may say what is nobody's business.
            **({"exception": record.exc_info[0].__name__} if record.exc_info and record.exc_info[0] else {}),
        }
        return _event("log", line)

    async def _send(self, request: web.Request, reader: Reader) -> web.StreamResponse:
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        sending = asyncio.ensure_future(_deliver(response, reader))
        over = asyncio.ensure_future(reader.over.wait())
        try:
            await asyncio.wait((sending, over), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((sending,), timeout=FAREWELL)
            if not sending.done() and request.transport is not None:
                request.transport.abort()
        finally:
            sending.cancel()
            over.cancel()
        return response


async def _deliver(response: web.StreamResponse, reader: Reader) -> None:
    try:
        await response.write(b": the log from now on\n\n")
        while (event := await reader.take()) is not None:
            await response.write(event)
        await response.write_eof()
    except ConnectionError:
        pass  # the reader has gone, which is its right


def _event(name: str, data: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(data))
