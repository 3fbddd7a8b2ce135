"""Answers that are bytes: how many they may be, and what callers are told that they are."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from dataclasses import dataclass

from .adapters import ConsumedOperation
from .errors import UpstreamInvalid
from .media import is_json
from .operation import Arguments, Call, Result


@dataclass(frozen=True, slots=True)
class Reception:
    """How an exposer takes answers: whether as streams, the bytes that it holds of one, and what its document allows.

    `allowed` is for answers that are bytes; None when the document does not say.
    """

    streams: bool = False
    held: int = 10 * 2**20
    allowed: int | None = None

    def limit(self, target: ConsumedOperation) -> int | None:
        """The most bytes that an answer of `target` may have; None when nothing bounds a stream of them."""
        return self.allowed if target.max_size is None else target.max_size

    def takes_stream(self, target: ConsumedOperation) -> bool:
        """Whether `target` is to be asked for a stream: to pass it on, or to hold more than it would give at once."""
        limit = self.limit(target)
        return self.streams or (target.max_size is None and limit is not None and limit > self.held)


@dataclass(frozen=True, slots=True)
class Limit:
    """Bounds an answer: at once where its length is told, and else as it comes. With `hold` a stream is read first."""

    most: int | None
    hold: int | None

    async def __call__(self, result: Result) -> Result:
        """The answer; raises `UpstreamInvalid` for one that is too large."""
        most = self.most
        if most is not None and (_told_length(result) or 0) > most:
            if result.stream is not None:
                await _close(result.stream)
            raise too_large(most)
        if result.stream is None:
            if most is not None and len(result.body) > most:
                raise too_large(most)
            return result
        if self.hold is not None:
            return await result.hold(self.hold)
        if most is not None:
            result.stream = _Bounded(result.stream, most)
        return result


def compile_limit(target: ConsumedOperation, reception: Reception) -> Limit:
    """What keeps the answers of `target` within what the exposer takes."""
    limit = reception.limit(target)
    return Limit(limit, hold=None if reception.streams else limit or reception.held)


def too_large(limit: int) -> UpstreamInvalid:
    """The error for an answer of more than `limit` bytes."""
    return UpstreamInvalid(f"the upstream's answer is larger than {limit} bytes")


def _told_length(result: Result) -> int | None:
    length = result.headers.get("Content-Length", "")
    if result.stream is None or "Content-Encoding" in result.headers or not length.isdecimal():
        return None
    return int(length)


class _Bounded(AsyncIterator[bytes]):
    """A stream that breaks off where there is more of it than there may be."""

    def __init__(self, stream: AsyncIterator[bytes], most: int) -> None:
        self._stream = stream
        self._most = most
        self._left = most

    async def __anext__(self) -> bytes:
        chunk = await anext(self._stream)
        self._left -= len(chunk)
        if self._left < 0:
            await self.aclose()
            raise too_large(self._most)
        return chunk

    async def aclose(self) -> None:
        """Close the upstream answer."""
        await _close(self._stream)


async def _close(stream: AsyncIterator[bytes]) -> None:
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()


def advertised(call: Call, media_type: str, *, binary: bool) -> Call:
    """`call`, its answers told to be of `media_type`; what has become JSON on the way stays JSON unless that is too."""

    async def told(arguments: Arguments) -> Result:
        result = await call(arguments)
        if not binary and is_json(result.media_type) and not is_json(media_type):
            return result
        # Another exposer may have the same result, told otherwise.
        result = copy.copy(result)
        result.media_type = media_type
        return result

    return told
