"""Traces: the calls of operations by request, each with its calls of consumed APIs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final

from adapter_host import (
    Arguments,
    Call,
    ConsumedCall,
    ConsumedOperation,
    OperationError,
    Result,
    UpstreamStatusError,
    current_request_id,
)

MAX_REQUESTS: Final = 1000
"""Requests whose traces are kept; the oldest are dropped."""

MAX_SPANS: Final = 200
"""Spans of one request; further ones are not kept."""


@dataclass(slots=True)
class Span:
    """A part of a request: `start` in seconds on the clock of `perf_counter`, `parent` as an index of a span."""

    kind: str
    name: str
    start: float
    parent: int | None = None
    duration: float | None = None
    outcome: int | str | None = None


@dataclass(slots=True)
class _Trace:
    spans: list[Span] = field(default_factory=list)


_CURRENT: Final[ContextVar[tuple[_Trace, int | None] | None]] = ContextVar("adapter_host_console_trace", default=None)


class Traces:
    """The traces of the latest requests, by request id."""

    def __init__(self) -> None:
        self._traces: OrderedDict[str, _Trace] = OrderedDict()

    def find(self, request_id: str) -> list[Mapping[str, Any]]:
        """Return the spans of a request as plain data, times in milliseconds from the first; empty without any."""
        trace = self._traces.get(request_id)
        if trace is None or not trace.spans:
            return []
        first = trace.spans[0].start
        return [
            {
                "kind": span.kind,
                "name": span.name,
                "parent": span.parent,
                "start_ms": round((span.start - first) * 1000, 3),
                "duration_ms": None if span.duration is None else round(span.duration * 1000, 3),
                "outcome": span.outcome,
            }
            for span in trace.spans
        ]

    def wrap_call(self, name: str, call: Call) -> Call:
        """Return a call of an operation that is traced."""

        async def traced(arguments: Arguments) -> Result:
            current = _CURRENT.get()
            trace, parent = (self._trace(current_request_id()), None) if current is None else current
            return await _within(trace, Span("operation", name, perf_counter(), parent), call, arguments)

        return traced

    def wrap_step(self, name: str, call: Call) -> Call:
        """Return the work of a step that is traced within a call of an operation."""

        async def traced(arguments: Arguments) -> Result:
            current = _CURRENT.get()
            if current is None:
                return await call(arguments)
            trace, parent = current
            return await _within(trace, Span("step", name, perf_counter(), parent), call, arguments)

        return traced

    def wrap_upstream(self, operation: ConsumedOperation, call: ConsumedCall) -> ConsumedCall:
        """Return a call of a consumed API that is traced within a call of an operation."""
        name = f"{operation.namespace}.{operation.name}"

        async def traced(arguments: Arguments, *, stream: bool = False) -> Result:
            current = _CURRENT.get()
            if current is None:
                return await call(arguments, stream=stream)
            span = Span("upstream", name, perf_counter(), current[1])
            _add(current[0], span)
            try:
                return _end(span, await call(arguments, stream=stream))
            except BaseException as error:
                _fail(span, error)
                raise

        return traced

    def _trace(self, request_id: str) -> _Trace:
        trace = self._traces.get(request_id)
        if trace is None:
            trace = self._traces[request_id] = _Trace()
            if len(self._traces) > MAX_REQUESTS:
                self._traces.popitem(last=False)
        return trace


async def _within(trace: _Trace, span: Span, call: Call, arguments: Arguments) -> Result:
    """Return the result of a call, in a span that is the parent of those that begin in it."""
    token = _CURRENT.set((trace, _add(trace, span)))
    try:
        return _end(span, await call(arguments))
    except BaseException as error:
        _fail(span, error)
        raise
    finally:
        _CURRENT.reset(token)


def _add(trace: _Trace, span: Span) -> int | None:
    """Add a span to a trace and return its index; return that of its parent if the trace has no room."""
    if len(trace.spans) >= MAX_SPANS:
        return span.parent
    trace.spans.append(span)
    return len(trace.spans) - 1


def _end(span: Span, result: Result) -> Result:
    span.duration = perf_counter() - span.start
    span.outcome = result.status
    return result


def _fail(span: Span, error: BaseException) -> None:
    """End a span by an error; its message may have values of arguments, so it is left out."""
    span.duration = perf_counter() - span.start
    if isinstance(error, UpstreamStatusError):
        span.outcome = error.upstream_status
    elif isinstance(error, OperationError):
        span.outcome = error.title.lower().replace(" ", "-")
    else:
        span.outcome = "internal-error" if isinstance(error, Exception) else "cancelled"
