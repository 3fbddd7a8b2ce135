"""Compile calls of consumed operations: their responses are passed on, mapped or streamed."""

from __future__ import annotations

from adapter_host.capability.media_types import is_json
from adapter_host.operation.event_streams import event_format
from adapter_host.operation.item_streams import map_events
from adapter_host.operation.operation import Arguments, Call, ConsumedOperation
from adapter_host.operation.result import JSON, Result, success

from .values.arguments import ArgumentMapper
from .values.coercion import Transform
from .values.response_limits import ResponsePolicy, compile_response_limit


def declared_media_type(target: ConsumedOperation, *, mapped: bool) -> str | None:
    """Return the declared media type; mapped responses are JSON, or events."""
    declared = target.media_type
    return None if declared is None or (mapped and not is_json(declared) and not returns_events(target)) else declared


def returns_events(target: ConsumedOperation) -> bool:
    """Return whether an operation is declared to return a stream of events."""
    return event_format(target.media_type or "") is not None


def compile_call(
    target: ConsumedOperation,
    map_arguments: ArgumentMapper,
    transform: Transform | None,
    response_policy: ResponsePolicy,
    *,
    reads_events: bool,
) -> Call:
    """Compile the call of a consumed operation by an exposed one.

    `transform` maps its responses; None passes them on. An operation with `reads_events` gets streams of events.
    """
    call = target.call
    limit = compile_response_limit(target, response_policy) if target.binary else None
    streams = (
        response_policy.requests_stream(target)
        if target.binary
        else response_policy.requests_events(target, mapped=transform is not None, reads_events=reads_events)
    )
    media_type = declared_media_type(target, mapped=True) or JSON

    async def run(arguments: Arguments) -> Result:
        result = await call(map_arguments(arguments), stream=streams)
        if limit is None:
            if streams and result.stream is not None:
                streamed = await _stream(result, transform, response_policy)
                if streamed.stream is not None:
                    return streamed
            return success(result, transform, media_type)
        return await limit(success(result))

    return run


async def _stream(result: Result, transform: Transform | None, response_policy: ResponsePolicy) -> Result:
    """Return the result with its events mapped; read it completely if the exposer does not get its stream."""
    events = event_format(result.media_type)
    is_whole = events is None and (transform is not None or not response_policy.streams)
    if result.stream is None or result.status >= 300 or is_whole:
        return await result.hold(response_policy.buffer_limit)
    if transform is None or events is None:
        return result
    # The length is that of the stream before.
    headers = {name: value for name, value in result.headers.items() if name.lower() != "content-length"}
    return result.replace(stream=map_events(result.stream, events, transform), headers=headers)
