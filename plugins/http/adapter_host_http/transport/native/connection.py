"""A connection with at most one request in progress."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from adapter_host import ended_cleanly, unread_data_check
from adapter_host_http.transport.base import (
    DisconnectedError,
    IncompleteResponseError,
    MalformedResponseError,
    TransportError,
)

from .deadlines import Deadlines
from .outgoing import OutgoingRequest
from .parser import LeftoverDataError, ResponseParser
from .response import NativeResponse
from .upload import Upload

_JOIN_LIMIT: Final = 64 * 1024


class StaleConnectionError(DisconnectedError):
    """A reused connection was closed before the first byte of a response, or had other data before it."""


@dataclass(frozen=True, slots=True)
class ConnectionContext:
    """Shared by the connections of a transport; `idle_timeout` is the longest pause in a response, in seconds."""

    loop: asyncio.AbstractEventLoop
    deadlines: Deadlines
    idle_timeout: float
    on_release: Callable[[Connection], None]
    on_close: Callable[[Connection], None]


class Connection(asyncio.Protocol):
    """An HTTP/1.1 connection; `last_used` is a time of the event loop's clock."""

    __slots__ = (
        "_context",
        "_ended_cleanly",
        "_has_unread_data",
        "_parser",
        "_paused",
        "_response",
        "_transport",
        "_upload",
        "_writable",
        "closed",
        "idle_timeout",
        "last_used",
        "served",
    )

    _transport: asyncio.Transport

    def __init__(self, context: ConnectionContext) -> None:
        self.closed = False
        self.idle_timeout = context.idle_timeout
        self.served = 0
        self.last_used = 0.0
        self._context = context
        self._ended_cleanly = False
        self._parser = ResponseParser()
        self._response: NativeResponse | None = None
        self._upload: Upload | None = None
        self._paused = False
        self._writable: asyncio.Future[None] | None = None

    @property
    def usable(self) -> bool:
        """Return whether it is open."""
        return not self.closed and not self._transport.is_closing()

    def is_reusable(self) -> bool:
        """Return whether the next request can be sent on it; close it if anything arrived on it while it was idle."""
        if not self.usable:
            return False
        if self._has_unread_data():
            self.abort()
            return False
        return True

    def send(self, outgoing: OutgoingRequest) -> NativeResponse:
        """Send a request; return its response, of which nothing was received yet."""
        context, body = self._context, outgoing.body
        response = self._response = NativeResponse(self, context.deadlines, context.loop, outgoing)
        context.deadlines.add(response, outgoing.deadline, response.expire)
        self._parser.start(response, is_head=outgoing.method == "HEAD")
        if body is None:
            self._transport.write(outgoing.head)
        elif not isinstance(body, bytes):
            self._transport.write(outgoing.head)
            self._upload = Upload(body, response, outgoing.length)
            self._upload.start(self)
        elif len(body) < _JOIN_LIMIT:
            self._transport.write(outgoing.head + body)
        else:
            self._transport.writelines((outgoing.head, body))
        return response

    def abandon(self, response: NativeResponse) -> None:
        """Close the connection, as the rest of the response would be read as the next response."""
        if self._response is response:
            self._response = None
            self.abort()

    def fail(self, response: NativeResponse, error: Exception) -> None:
        """Fail the response and close the connection, unless the response is complete."""
        if self._response is response:
            self._response = None
            self.abort()
            response.fail(error)

    def close(self) -> None:
        """Close the connection; fail a response in progress."""
        if self._response is not None:
            self.fail(self._response, self._lost_error(self._response))
        self.abort()

    def abort(self) -> None:
        """Close the connection without failing its response."""
        self.closed = True
        self._stop_upload()
        self._transport.abort()

    def resume(self) -> None:
        """Continue reading."""
        if self._paused and not self.closed:
            self._paused = False
            self._transport.resume_reading()

    def write(self, data: bytes) -> None:
        """Send a piece of a request body."""
        self._transport.write(data)

    async def drain(self) -> None:
        """Wait until the write buffer has room."""
        if self._writable is not None:
            await self._writable

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]
        self._has_unread_data = unread_data_check(transport)

    def data_received(self, data: bytes) -> None:
        """Parse received data; close the connection if no response is expected (RFC 9112, 9.2 and 11.2)."""
        response, parser = self._response, self._parser
        if response is None:
            self.abort()
            return
        try:
            parser.feed(data)
        except LeftoverDataError as error:
            self.fail(response, StaleConnectionError(str(error)))
            return
        except MalformedResponseError as error:
            if not parser.complete:
                self.fail(response, error)
                return
            parser.keep_alive = False
        if parser.complete:
            self._finish(response)
        elif response.notify_progress():
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        """Let the event loop close the connection."""
        self.closed = True
        self._ended_cleanly = ended_cleanly(self._transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Fail the response in progress and release the connection."""
        self.closed = True
        response, self._response = self._response, None
        if response is not None:
            if error is None and self._parser.until_close and self._ended_cleanly:
                response.finish()
            else:
                response.fail(self._lost_error(response))
        self._stop_upload()
        self.resume_writing()
        self._context.on_close(self)

    def pause_writing(self) -> None:
        """Make `drain` wait."""
        self._writable = self._context.loop.create_future()

    def resume_writing(self) -> None:
        """Let `drain` return."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def _lost_error(self, response: NativeResponse) -> TransportError:
        if response.status:
            return IncompleteResponseError("the connection was closed within the response")
        kind = StaleConnectionError if self.served and self._parser.received_nothing else DisconnectedError
        return kind("the connection was closed before the response")

    def _finish(self, response: NativeResponse) -> None:
        self._response = None
        self._parser.release()
        self.served += 1
        request_sent = self._upload is None or self._upload.done
        # After an early response the rest of the request would be read as the next request.
        if self._parser.keep_alive and request_sent and self.usable and not self._transport.get_write_buffer_size():
            self._stop_upload()
            self._context.on_release(self)
        else:
            self.abort()
        response.finish()

    def _stop_upload(self) -> None:
        if self._upload is not None:
            self._upload.stop()
            self._upload = None
