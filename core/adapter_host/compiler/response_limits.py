"""Answers that are bytes: how many they may be, and what callers are told that they are."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from adapter_host.capability.media_types import is_json
from adapter_host.operation.operation import Arguments, Call, ConsumedOperation, Result
from adapter_host.operation.streams import LimitedStream, close_stream, too_large


@dataclass(frozen=True, slots=True)
class ResponsePolicy:
    """How an exposer takes answers: whether as streams, the bytes that it holds of one, and what its document allows.

    `allowed` is for answers that are bytes; None when the document does not say.
    """

    streams: bool = False
    buffer_limit: int = 10 * 2**20
    document_limit: int | None = None

    def limit(self, target: ConsumedOperation) -> int | None:
        """The most bytes that an answer of `target` may have; None when nothing bounds a stream of them."""
        return self.document_limit if target.max_size is None else target.max_size

    def requests_stream(self, target: ConsumedOperation) -> bool:
        """Whether `target` is to be asked for a stream: to pass it on, or to hold more than it would give at once."""
        limit = self.limit(target)
        return self.streams or (target.max_size is None and limit is not None and limit > self.buffer_limit)


@dataclass(frozen=True, slots=True)
class ResponseLimit:
    """Bounds an answer: at once where its length is told, and else as it comes. With `hold` a stream is read first."""

    limit: int | None
    buffer_limit: int | None

    async def __call__(self, result: Result) -> Result:
        """The answer; raises `UpstreamInvalidError` for one that is too large."""
        limit = self.limit
        if limit is not None and (_declared_length(result) or 0) > limit:
            if result.stream is not None:
                await close_stream(result.stream)
            raise too_large(limit)
        if result.stream is None:
            if limit is not None and len(result.body) > limit:
                raise too_large(limit)
            return result
        if self.buffer_limit is not None:
            return await result.hold(self.buffer_limit)
        if limit is not None:
            result.stream = LimitedStream(result.stream, limit)
        return result


def compile_response_limit(target: ConsumedOperation, response_policy: ResponsePolicy) -> ResponseLimit:
    """What keeps the answers of `target` within what the exposer takes."""
    limit = response_policy.limit(target)
    return ResponseLimit(limit, buffer_limit=None if response_policy.streams else limit or response_policy.buffer_limit)


def _declared_length(result: Result) -> int | None:
    length = result.headers.get("Content-Length", "")
    if result.stream is None or "Content-Encoding" in result.headers or not length.isdecimal():
        return None
    return int(length)


def with_media_type(call: Call, media_type: str, *, binary: bool) -> Call:
    """`call`, its answers told to be of `media_type`; what has become JSON on the way stays JSON unless that is too."""

    async def call_with_media_type(arguments: Arguments) -> Result:
        result = await call(arguments)
        if not binary and is_json(result.media_type) and not is_json(media_type):
            return result
        # Another exposer may have the same result, told otherwise.
        result = copy.copy(result)
        result.media_type = media_type
        return result

    return call_with_media_type
