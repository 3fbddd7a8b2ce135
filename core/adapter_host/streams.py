"""Bodies that come in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterable


async def read_at_most(limit: int, chunks: AsyncIterable[bytes]) -> bytes | None:
    """All the bytes that come; None when they are more than `limit`, as soon as that is known, and the rest unread."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)
