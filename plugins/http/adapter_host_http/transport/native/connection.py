"""One connection: what is sent on it, and the one answer that is expected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from adapter_host_http.transport.base import MalformedResponseError, TransportError

from .deadlines import Deadlines
from .outgoing import Outgoing
from .parser import Reader
from .response import NativeResponse
from .upload import Upload

_JOINED: Final = 64 * 1024


class StaleConnectionError(TransportError):
    """A connection that was kept ended before any of the answer came."""


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """What the connections of one transport share; `idle` is how long, in seconds, an answer may pause."""

    loop: asyncio.AbstractEventLoop
    deadlines: Deadlines
    idle: float
    released: Callable[[Connection], None]
    lost: Callable[[Connection], None]


class Connection(asyncio.Protocol):
    """Speaks HTTP/1.1 with an origin, one request after the other; `since` is when it was last used."""

    __slots__ = (
        "_answer",
        "_paused",
        "_reader",
        "_settings",
        "_transport",
        "_upload",
        "_writable",
        "closed",
        "idle",
        "served",
        "since",
    )

    _transport: asyncio.Transport

    def __init__(self, settings: ConnectionSettings) -> None:
        self.closed = False
        self.idle = settings.idle
        self.served = 0
        self.since = 0.0
        self._settings = settings
        self._reader = Reader()
        self._answer: NativeResponse | None = None
        self._upload: Upload | None = None
        self._paused = False
        self._writable: asyncio.Future[None] | None = None

    @property
    def usable(self) -> bool:
        """Whether what is sent on it may arrive."""
        return not self.closed and not self._transport.is_closing()

    def ask(self, outgoing: Outgoing) -> NativeResponse:
        """Send a request; gives the answer that is to come."""
        around, body = self._settings, outgoing.body
        answer = self._answer = NativeResponse(self, around.deadlines, around.loop, outgoing)
        around.deadlines.add(answer, outgoing.deadline, answer.expire)
        self._reader.expect(answer, head=outgoing.method == "HEAD")
        if body is None:
            self._transport.write(outgoing.head)
        elif not isinstance(body, bytes):
            self._transport.write(outgoing.head)
            self._upload = Upload(body, answer, outgoing.length)
            self._upload.start(self)
        elif len(body) < _JOINED:
            self._transport.write(outgoing.head + body)
        else:
            self._transport.writelines((outgoing.head, body))
        return answer

    def leave(self, answer: NativeResponse) -> None:
        """Go without the rest of an answer, which nobody can tell from the next one's beginning."""
        if self._answer is answer:
            self._answer = None
            self.abort()

    def fail(self, answer: NativeResponse, error: Exception) -> None:
        """End with an error, unless the answer has ended."""
        if self._answer is answer:
            self._answer = None
            self.abort()
            answer.fail(error)

    def end(self) -> None:
        """End, whatever is in progress."""
        if self._answer is not None:
            self.fail(self._answer, TransportError("the connection was closed"))
        self.abort()

    def abort(self) -> None:
        """Close it at once."""
        self.closed = True
        self._stop_upload()
        self._transport.abort()

    def resume(self) -> None:
        """Read on."""
        if self._paused and not self.closed:
            self._paused = False
            self._transport.resume_reading()

    def write(self, data: bytes) -> None:
        """Send a piece of a body."""
        self._transport.write(data)

    async def drained(self) -> None:
        """Wait until what was sent is on its way."""
        if self._writable is not None:
            await self._writable

    # What follows is called by the loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport of the open connection."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Something has come; what comes without being asked for belongs to nobody."""
        answer, reader = self._answer, self._reader
        if answer is None:
            self.abort()
            return
        try:
            reader.feed(data)
        except MalformedResponseError as error:
            if not reader.complete:
                self.fail(answer, error)
                return
            reader.keeps = False
        if reader.complete:
            self._finish(answer)
        elif answer.progress():
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        """Nothing more will come; the loop closes it."""
        self.closed = True

    def connection_lost(self, error: Exception | None) -> None:
        """Fail the response in progress and release the connection."""
        self.closed = True
        answer, self._answer = self._answer, None
        if answer is not None:
            if error is None and self._reader.endless:
                answer.end()
            else:
                answer.fail(self._broken())
        self._stop_upload()
        self.resume_writing()
        self._settings.lost(self)

    def pause_writing(self) -> None:
        """Nothing more can be sent for now."""
        self._writable = self._settings.loop.create_future()

    def resume_writing(self) -> None:
        """More can be sent again."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def _broken(self) -> TransportError:
        if self._reader.silent:
            kind = StaleConnectionError if self.served else TransportError
            return kind("the connection ended without an answer")
        return TransportError("the connection ended within the answer")

    def _finish(self, answer: NativeResponse) -> None:
        self._answer = None
        self._reader.forget()
        self.served += 1
        sent = self._upload is None or self._upload.done
        # An answer that came before all of the request was sent leaves the rest of it in the way.
        if self._reader.keeps and sent and self.usable and not self._transport.get_write_buffer_size():
            self._stop_upload()
            self._settings.released(self)
        else:
            self.abort()
        answer.end()

    def _stop_upload(self) -> None:
        if self._upload is not None:
            self._upload.stop()
            self._upload = None
