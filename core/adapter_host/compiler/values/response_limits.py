"""Size limits and media types of binary responses."""

from __future__ import annotations

from dataclasses import dataclass

from adapter_host.capability.media_types import is_json
from adapter_host.operation.event_streams import event_format
from adapter_host.operation.operation import Arguments, Call, ConsumedOperation
from adapter_host.operation.result import Result
from adapter_host.operation.streams import LimitedStream, close_stream, too_large


@dataclass(frozen=True, slots=True)
class ResponsePolicy:
    """How an exposer reads responses: as streams or not, and the limits of their size, in bytes.

    `buffer_limit` applies to buffered responses, `document_limit` to binary ones; None when the document sets none.
    """

    streams: bool = False
    buffer_limit: int = 10 * 2**20
    document_limit: int | None = None

    def limit(self, target: ConsumedOperation) -> int | None:
        """Return the maximum size of a response of `target` in bytes; None for an unlimited stream."""
        return self.document_limit if target.max_size is None else target.max_size

    def requests_events(self, target: ConsumedOperation, *, mapped: bool, reads_events: bool) -> bool:
        """Return whether to request a stream of an operation that is not binary.

        An exposer without `streams` gets mapped events only where they are declared: the operation then has no output
        schema, which events would break.
        """
        return self.streams or (reads_events and (not mapped or event_format(target.media_type or "") is not None))

    def requests_stream(self, target: ConsumedOperation) -> bool:
        """Return whether to request a binary stream: to forward it, or to buffer more than the default limit."""
        limit = self.limit(target)
        return self.streams or (target.max_size is None and limit is not None and limit > self.buffer_limit)


@dataclass(frozen=True, slots=True)
class ResponseLimit:
    """Limits the size of a response, by its Content-Length or while it is read; `buffer_limit` buffers a stream."""

    limit: int | None
    buffer_limit: int | None

    async def __call__(self, result: Result) -> Result:
        """Return the response; raise `UpstreamInvalidError` when it is too large."""
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
    """Compile the size limit of responses of `target`."""
    limit = response_policy.limit(target)
    return ResponseLimit(limit, buffer_limit=None if response_policy.streams else limit or response_policy.buffer_limit)


def _declared_length(result: Result) -> int | None:
    length = result.headers.get("Content-Length", "")
    if result.stream is None or "Content-Encoding" in result.headers or not length.isdecimal():
        return None
    return int(length)


def with_media_type(call: Call, media_type: str, *, binary: bool) -> Call:
    """Return `call` with `media_type` on its results; a JSON result keeps its media type unless the new one is JSON."""

    async def call_with_media_type(arguments: Arguments) -> Result:
        result = await call(arguments)
        if not binary and is_json(result.media_type) and not is_json(media_type):
            return result
        # Another exposer may return the same result with another media type.
        return result.replace(media_type=media_type)

    return call_with_media_type
