"""Spans of calls and their errors."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from opentelemetry.context import attach, detach
from opentelemetry.trace import Span, Status, StatusCode, Tracer, set_span_in_context

from adapter_host import Arguments, Call, OperationError, Result, UpstreamStatusError

UNEXPECTED: Final = "unexpected"


def in_span(tracer: Tracer, name: str, labels: Mapping[str, str], call: Call) -> Call:
    """Wrap a call in a span."""

    async def traced(arguments: Arguments) -> Result:
        span = tracer.start_span(name, attributes=labels)
        token = attach(set_span_in_context(span))
        failure = None
        try:
            return await call(arguments)
        except BaseException as error:
            failure = error_type(error)
            raise
        finally:
            detach(token)
            end_span(span, failure)

    return traced


def end_span(span: Span, error: str | None) -> None:
    """End a span, with its error if there is one."""
    if error is not None:
        span.set_attribute("error.type", error)
        span.set_status(Status(StatusCode.ERROR))
    span.end()


def error_type(error: BaseException) -> str:
    """Return the type label of an error; never its message, which may contain secrets."""
    if isinstance(error, UpstreamStatusError):
        return str(error.upstream_status)
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    return type(error).__name__ if isinstance(error, OperationError) else UNEXPECTED
