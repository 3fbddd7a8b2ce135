"""A response from sending its request to the last byte of its body."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final, Protocol

from adapter_host import ContentDecoder, event_format
from adapter_host_http.transport.base import Response
from adapter_host_http.transport.content_coding import decoder_of

from .deadlines import Deadlines
from .headers import Pair, ResponseHeaders

if TYPE_CHECKING:
    from .outgoing import OutgoingRequest

HIGH_WATER: Final = 64 * 1024
"""Bytes of a streamed body that are buffered for a slow reader."""


class ResponseConnection(Protocol):
    """The methods of a connection that a response calls; `idle_timeout` is in seconds."""

    idle_timeout: float

    def fail(self, response: NativeResponse, error: Exception) -> None:
        """End the response with an error."""

    def abandon(self, response: NativeResponse) -> None:
        """Discard the rest of the response."""

    def resume(self) -> None:
        """Continue reading."""


class NativeResponse(Response):
    """A response that its connection fills and its caller reads."""

    __slots__ = (
        "_buffer_limit",
        "_chunks",
        "_connection",
        "_deadline",
        "_deadlines",
        "_decoder",
        "_decompress",
        "_eager",
        "_error",
        "_events",
        "_length",
        "_loop",
        "_pause_timeout",
        "_pending",
        "_waiter",
        "ended",
        "size",
    )

    def __init__(
        self,
        connection: ResponseConnection,
        deadlines: Deadlines,
        loop: asyncio.AbstractEventLoop,
        outgoing: OutgoingRequest,
    ) -> None:
        self.status = 0
        self.body = None
        self.is_event_stream = False
        self.size = 0
        self.ended = False
        self._connection = connection
        self._deadline = outgoing.deadline
        self._deadlines = deadlines
        self._loop = loop
        self._buffer_limit = outgoing.buffer_limit
        self._eager = not outgoing.buffer_limit
        self._decompress = outgoing.decompress
        self._events = outgoing.events
        self._pause_timeout = 0.0
        self._chunks: list[bytes] = []
        self._pending = b""
        self._decoder: ContentDecoder | None = None
        self._length: int | None = None
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = loop.create_future()

    # Called by the connection.

    def set_head(self, status: int, pairs: list[Pair], media_type: bytes) -> None:
        self.status = status
        self.headers = ResponseHeaders(pairs)
        self.media_type = media_type.decode("utf-8", "surrogateescape").strip()
        if self._events and event_format(self.media_type) is not None:
            self.is_event_stream = self._eager = True

    def expect_body(self, length: int | None, coding: bytes) -> None:
        """Expect a body; raise `MalformedResponseError` for an unknown coding."""
        if coding and self._decompress:
            self._decoder = decoder_of(coding.decode("latin-1"))
        if self._decoder is None and length is not None and length > self._buffer_limit:
            self._length = length
            self._eager = True

    def add_chunk(self, data: bytes) -> None:
        self.size += len(data)
        self._chunks.append(data)

    def notify_progress(self) -> bool:
        """Wake the reader if it can continue; return whether the connection should pause reading."""
        if (self._eager and self.status) or self.size > self._buffer_limit:
            self._wake()
        return self.size > self._buffer_limit

    def finish(self) -> None:
        """Mark the body as complete."""
        self.ended = True
        self._deadlines.discard(self)
        self._wake()

    def fail(self, error: Exception) -> None:
        """Raise `error` in the reader."""
        self._deadlines.discard(self)
        self._error = error
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)

    def expire(self) -> None:
        """Fail with `TimeoutError`."""
        self._connection.fail(self, TimeoutError())

    def suspend_deadline(self) -> None:
        """Suspend the deadline while the caller delays the request."""
        if not self._pause_timeout:
            self._deadlines.discard(self)

    def restart_deadline(self) -> None:
        """Restart the deadline when the request continues."""
        if not self._pause_timeout and not self.ended and self._error is None:
            self._deadlines.discard(self)
            self._deadline = self._loop.time() + self._connection.idle_timeout
            self._deadlines.add(self, self._deadline, self.expire)

    # Called by the caller.

    async def wait_ready(self) -> None:
        """Wait for the head, and for a buffered body; raise `TransportError` and `TimeoutError`."""
        buffer_limit, waiter = self._buffer_limit, self._waiter
        assert waiter is not None
        # `_wait` without the timeout of pauses: each coroutine within another costs time.
        try:
            await waiter
        except BaseException:
            self.close()
            raise
        finally:
            self._waiter = None
        if self.ended and self.size <= buffer_limit and self._decoder is None:
            chunks = self._chunks
            self.body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            chunks.clear()
        elif self.ended and self._decoder is not None:
            await self._decode_body(self._decoder, buffer_limit)

    async def read(self, limit: int) -> bytes | None:
        """Return the body before the deadline, or None and close if it has more than `limit` bytes."""
        pieces: list[bytes] = []
        left = limit if self._length is None or self._length <= limit else -1
        while left >= 0 and (chunk := await self._read_chunk()):
            pieces.append(chunk)
            left -= len(chunk)
        if left < 0:
            self.close()
            return None
        return b"".join(pieces)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces; only pauses between them are limited from now on."""
        self._deadlines.discard(self)
        self._pause_timeout = self._connection.idle_timeout
        self._buffer_limit = HIGH_WATER
        try:
            while chunk := await self._read_chunk():
                yield chunk
        finally:
            self.close()

    def close(self) -> None:
        """Close the response; close its connection too, unless the response is complete."""
        self._deadlines.discard(self)
        self._connection.abandon(self)

    async def _decode_body(self, decoder: ContentDecoder, buffer_limit: int) -> None:
        """Set `body` from the received data, unless it is larger than the limit once decoded."""
        decoder.feed(b"".join(self._chunks))
        self._chunks.clear()
        pieces: list[bytes] = []
        left = buffer_limit + 1
        while left and decoder.pending:
            pieces.append(await self._decode(decoder, left))
            left -= len(pieces[-1])
        body = b"".join(pieces)
        if not left:
            self._pending = body
        else:
            decoder.finish()
            self.body = body

    async def _decode(self, decoder: ContentDecoder, limit: int) -> bytes:
        """Return the next decoded bytes; raise `TimeoutError` after the deadline, even if the response is complete."""
        if not self._pause_timeout and self._loop.time() >= self._deadline:
            raise TimeoutError
        return await decoder.decode(limit)

    async def _read_chunk(self) -> bytes:
        """Return the next decoded piece, or nothing at the end."""
        self._eager = True
        while True:
            if chunk := await self._pending_chunk():
                return chunk
            if self._chunks or (self._decoder is not None and self._decoder.pending):
                # More arrived while a thread decoded, or what arrived had no content.
                continue
            if self._error is not None:
                raise self._error
            if self.ended:
                if self._decoder is not None:
                    self._decoder.finish()
                return b""
            await self._wait()

    async def _pending_chunk(self) -> bytes:
        """Return decoded data that was received already."""
        if self._pending:
            chunk, self._pending = self._pending, b""
            return chunk
        decoder = self._decoder
        if decoder is not None and decoder.pending:
            return await self._decode(decoder, HIGH_WATER)
        chunk = b"".join(self._chunks)
        self._chunks.clear()
        self.size = 0
        if not self.ended:
            self._connection.resume()
        if decoder is None:
            return chunk
        decoder.feed(chunk)
        return await self._decode(decoder, HIGH_WATER) if decoder.pending else b""

    async def _wait(self) -> None:
        waiter = self._waiter = self._waiter or self._loop.create_future()
        if self._pause_timeout:
            self._deadlines.add(self, self._loop.time() + self._pause_timeout, self.expire)
        try:
            await waiter
        except BaseException:
            self.close()
            raise
        finally:
            self._waiter = None
            if self._pause_timeout:
                self._deadlines.discard(self)

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
