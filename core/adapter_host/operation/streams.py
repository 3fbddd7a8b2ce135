"""Streams of body chunks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any, Protocol, TypeVar

from adapter_host.errors import UpstreamInvalidError

ChunkT = TypeVar("ChunkT")

OnEnd = Callable[[BaseException | None], None]
"""Receives why a stream ended: None after its last chunk."""

_log = logging.getLogger("adapter_host")


class ResultStream(Protocol):
    """A body that arrives over time: read it to its end, or close it."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return the stream itself."""

    async def __anext__(self) -> bytes:
        """Return the next chunk; raise `StopAsyncIteration` after the last, or an `OperationError`."""

    async def aclose(self) -> None:
        """Release the resources of the stream; may be called more than once, and after the end."""


class ItemIterator(Protocol):
    """The items of a stream: read them to the end, or close it."""

    def __aiter__(self) -> AsyncIterator[Any]:
        """Return the iterator itself."""

    async def __anext__(self) -> Any:
        """Return the next item; raise `StopAsyncIteration` after the last, or an `OperationError`."""

    async def aclose(self) -> None:
        """Release the resources of the stream; may be called more than once, and after the end."""


def too_large(limit: int) -> UpstreamInvalidError:
    """Return the error for a response of more than `limit` bytes."""
    return UpstreamInvalidError(f"the upstream response is larger than {limit} bytes")


class LimitedStream(AsyncIterator[bytes]):
    """A stream that fails when it exceeds a number of bytes."""

    def __init__(self, stream: AsyncIterator[bytes], limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._remaining = limit

    async def __anext__(self) -> bytes:
        chunk = await anext(self._stream)
        self._remaining -= len(chunk)
        if self._remaining < 0:
            await self.aclose()
            raise too_large(self._limit)
        return chunk

    async def aclose(self) -> None:
        """Close the upstream response."""
        await close_stream(self._stream)


async def close_stream(stream: AsyncIterator[Any]) -> None:
    """Close a stream if it has `aclose`; leave others to the garbage collector."""
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()


class ObservedStream(AsyncIterator[ChunkT]):
    """A stream that reports its end, once: None after the last chunk, otherwise why it ended before that.

    A stream that is closed before its end reports a `CancelledError`, like a call that is cancelled.
    """

    __slots__ = ("_callbacks", "_error", "_is_ended", "_source")

    def __init__(self, source: AsyncIterator[ChunkT]) -> None:
        self._source = source
        self._callbacks: list[OnEnd] = []
        self._error: BaseException | None = None
        self._is_ended = False

    def on_end(self, callback: OnEnd) -> None:
        """Add a function to call at the end; call it now if that has come."""
        if self._is_ended:
            _report(callback, self._error)
        else:
            self._callbacks.append(callback)

    async def __anext__(self) -> ChunkT:
        try:
            return await anext(self._source)
        except StopAsyncIteration:
            self.end(None)
            raise
        except BaseException as error:
            self.end(error)
            raise

    async def aclose(self) -> None:
        """Close the upstream response."""
        try:
            await close_stream(self._source)
        finally:
            self.end(asyncio.CancelledError("the stream was closed before its end"))

    def end(self, error: BaseException | None) -> None:
        """Report the end, unless it was reported before."""
        if self._is_ended:
            return
        self._is_ended, self._error = True, error
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            _report(callback, error)


def _report(callback: OnEnd, error: BaseException | None) -> None:
    try:
        callback(error)
    except Exception:
        # Third-party code: its error must not affect the response.
        _log.exception("a callback for the end of a stream failed")


async def read_at_most(limit: int, chunks: AsyncIterable[bytes]) -> bytes | None:
    """Return all bytes, or None as soon as they exceed `limit`, with the rest unread."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)
