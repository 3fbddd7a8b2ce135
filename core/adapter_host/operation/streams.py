"""Streams of body chunks."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable

from adapter_host.errors import UpstreamInvalidError


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


async def close_stream(stream: AsyncIterator[bytes]) -> None:
    """Close a stream if it has `aclose`; leave others to the garbage collector."""
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()


class TrackedStream(AsyncIterator[bytes]):
    """A `Result.stream` that calls `release` once, when it ends or is closed."""

    def __init__(self, stream: AsyncIterator[bytes], release: Callable[[], None]) -> None:
        self._stream = stream
        self._release: Callable[[], None] | None = release

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._stream)
        except BaseException:
            self._release_once()
            raise

    async def aclose(self) -> None:
        """Release and close the upstream response."""
        self._release_once()
        await close_stream(self._stream)

    def _release_once(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            release()


async def read_at_most(limit: int, chunks: AsyncIterable[bytes]) -> bytes | None:
    """Return all bytes, or None as soon as they exceed `limit`, with the rest unread."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)
