"""One answer, from the request on its way to the last byte of the body."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final, Protocol

from adapter_host_http.transport.base import Response

from .content_coding import Inflater
from .deadlines import Deadlines
from .headers import Fields, Pair

if TYPE_CHECKING:
    from .outgoing import Outgoing

WATER: Final = 64 * 1024
"""So much of a streamed body is kept for a reader that is slower than the wire."""


class ResponseConnection(Protocol):
    """What a response asks of the connection that it arrives on; `idle` is in seconds."""

    idle: float

    def fail(self, answer: NativeResponse, error: Exception) -> None:
        """End the response with an error."""

    def leave(self, answer: NativeResponse) -> None:
        """Give up the rest of the response."""

    def resume(self) -> None:
        """Read on."""


class NativeResponse(Response):
    """What a connection fills, and its caller waits for and reads."""

    __slots__ = (
        "_chunks",
        "_connection",
        "_deadlines",
        "_decoded",
        "_eager",
        "_error",
        "_idle",
        "_inflater",
        "_length",
        "_loop",
        "_most",
        "_ready",
        "_waiter",
        "ended",
        "size",
    )

    def __init__(
        self, connection: ResponseConnection, deadlines: Deadlines, loop: asyncio.AbstractEventLoop, outgoing: Outgoing
    ) -> None:
        self.status = 0
        self.body = None
        self.size = 0
        self.ended = False
        self._connection = connection
        self._deadlines = deadlines
        self._loop = loop
        self._most = outgoing.held
        self._eager = not outgoing.held
        self._decoded = outgoing.decoded
        self._idle = 0.0
        self._chunks: list[bytes] = []
        self._ready = b""
        self._inflater: Inflater | None = None
        self._length: int | None = None
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = loop.create_future()

    # The connection's side.

    def head(self, status: int, pairs: list[Pair], media_type: bytes) -> None:
        """Store the status and the headers."""
        self.status = status
        self.headers = Fields(pairs)
        self.media_type = media_type.decode("utf-8", "surrogateescape").strip()

    def expect(self, length: int | None, coding: bytes) -> None:
        """Prepare for a body; raise `MalformedResponseError` for an unknown coding."""
        if coding and coding != b"identity" and self._decoded:
            self._inflater = Inflater(coding)
        elif length is not None and length > self._most:
            self._length = length
            self._eager = True

    def more(self, data: bytes) -> None:
        """Store a piece of the body."""
        self.size += len(data)
        self._chunks.append(data)

    def progress(self) -> bool:
        """Something has come; whether that is enough for now."""
        if (self._eager and self.status) or self.size > self._most:
            self._wake()
        return self.size > self._most

    def end(self) -> None:
        """All of it has come."""
        self.ended = True
        self._deadlines.discard(self)
        self._wake()

    def fail(self, error: Exception) -> None:
        """No more will come."""
        self._deadlines.discard(self)
        self._error = error
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)

    def expire(self) -> None:
        """Too much time has passed."""
        self._connection.fail(self, TimeoutError())

    def suspend(self) -> None:
        """Suspend the deadline while the origin is not the one to wait for."""
        if not self._idle:
            self._deadlines.discard(self)

    def renew(self) -> None:
        """From now on it is, for as long as a call may take."""
        if not self._idle and not self.ended and self._error is None:
            self._deadlines.discard(self)
            self._deadlines.add(self, self._loop.time() + self._connection.idle, self.expire)

    # The caller's side.

    async def begin(self) -> None:
        """Wait for the head, and for a body that is held; raises `TransportError`, `TimeoutError`."""
        held = self._most
        await self._wait()
        if self.ended:
            self._hold(held)

    async def take(self, limit: int) -> bytes | None:
        """All of the body before the deadline; None, and closed, when it is larger than `limit` bytes."""
        pieces: list[bytes] = []
        left = limit if self._length is None or self._length <= limit else -1
        while left >= 0 and (piece := await self._piece()):
            pieces.append(piece)
            left -= len(piece)
        if left < 0:
            self.close()
            return None
        return b"".join(pieces)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes; from now on it has no deadline, only pauses are bounded."""
        self._deadlines.discard(self)
        self._idle = self._connection.idle
        self._most = WATER
        try:
            while piece := await self._piece():
                yield piece
        finally:
            self.close()

    def close(self) -> None:
        """Be done with it, and with its connection where that has not come to an end of its own."""
        self._deadlines.discard(self)
        self._connection.leave(self)

    def _hold(self, held: int) -> None:
        """Make `body` of what has come, unless it unpacks to more than is held."""
        chunks, inflater = self._chunks, self._inflater
        if inflater is None and self.size > held:
            return
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        if inflater is None:
            self.body = data
            return
        body = inflater.feed(data, held + 1)
        if inflater.pending or len(body) > held:
            self._ready = body
        else:
            inflater.finish()
            self.body = body

    async def _piece(self) -> bytes:
        """Return the next piece, decoded; nothing at the end."""
        self._eager = True
        while True:
            if piece := self._next():
                return piece
            if self._error is not None:
                raise self._error
            if self.ended:
                if self._inflater is not None:
                    self._inflater.finish()
                return b""
            await self._wait()

    def _next(self) -> bytes:
        """Return the data that has arrived."""
        if self._ready:
            piece, self._ready = self._ready, b""
            return piece
        inflater = self._inflater
        if inflater is not None and inflater.pending:
            return inflater.feed(b"", WATER)
        piece = b"".join(self._chunks)
        self._chunks.clear()
        self.size = 0
        if not self.ended:
            self._connection.resume()
        return piece if inflater is None else inflater.feed(piece, WATER)

    async def _wait(self) -> None:
        waiter = self._waiter = self._waiter or self._loop.create_future()
        if self._idle:
            self._deadlines.add(self, self._loop.time() + self._idle, self.expire)
        try:
            await waiter
        except BaseException:
            self.close()
            raise
        finally:
            self._waiter = None
            if self._idle:
                self._deadlines.discard(self)

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
