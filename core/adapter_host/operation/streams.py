"""Bodies that come in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable

from adapter_host.errors import UpstreamInvalidError


def too_large(limit: int) -> UpstreamInvalidError:
    """The error for an answer of more than `limit` bytes."""
    return UpstreamInvalidError(f"the upstream's answer is larger than {limit} bytes")


class LimitedStream(AsyncIterator[bytes]):
    """A stream that breaks off where there is more of it than there may be."""

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
        """Close the upstream answer."""
        await close_stream(self._stream)


async def close_stream(stream: AsyncIterator[bytes]) -> None:
    """Close a stream that can be closed; one that cannot is left to the garbage collector."""
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()


class TrackedStream(AsyncIterator[bytes]):
    """A `Result.stream` that keeps what its call holds until it ends or is closed; then `release` is called, once."""

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
        """Close the upstream answer too."""
        self._release_once()
        await close_stream(self._stream)

    def _release_once(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            release()


async def read_at_most(limit: int, chunks: AsyncIterable[bytes]) -> bytes | None:
    """All the bytes that come; None when they are more than `limit`, as soon as that is known, and the rest unread."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)
