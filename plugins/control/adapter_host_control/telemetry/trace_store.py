"""Keeps the most recent traces in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id

MAX_SPANS: Final = 500
"""Maximum number of spans per trace; callers choose the trace id, and may reuse it."""

MAX_OPEN_TRACES: Final = 2000
"""Maximum number of traces whose root span has not ended; more than calls can be in flight."""


class Trace:
    """The ended spans of one trace."""

    __slots__ = ("_spans", "dropped")

    def __init__(self) -> None:
        self._spans: list[ReadableSpan] = []
        self.dropped = 0

    def add(self, span: ReadableSpan) -> None:
        """Add a span, unless there are too many."""
        if len(self._spans) < MAX_SPANS:
            self._spans.append(span)
        else:
            self.dropped += 1

    def add_root(self, span: ReadableSpan) -> None:
        """Add a local root span, which is never dropped as it represents the trace."""
        if len(self._spans) >= MAX_SPANS:
            self._spans.pop()
            self.dropped += 1
        self._spans.append(span)

    @property
    def root(self) -> ReadableSpan:
        """Return the span that started first."""
        return min(self._spans, key=lambda span: span.start_time or 0)

    @property
    def operation(self) -> str:
        """Return the name of the called operation."""
        return _operation(self.root)

    @property
    def status(self) -> str:
        """Return `ok` or `error`."""
        return _status(self.root)

    def summary(self) -> dict[str, Any]:
        """Return the entry for the list of traces."""
        root = self.root
        return {
            "traceId": format_trace_id(root.context.trace_id),
            "operation": self.operation,
            "durationMs": _milliseconds(root),
            "status": self.status,
            "spanCount": len(self._spans) + self.dropped,
            "timestamp": datetime.fromtimestamp((root.start_time or 0) / 1e9, UTC).isoformat(timespec="milliseconds"),
        }

    def details(self) -> dict[str, Any]:
        """Return the trace with its spans, ordered by start time."""
        spans = sorted(self._spans, key=lambda span: span.start_time or 0)
        dropped = {"spansDropped": self.dropped} if self.dropped else {}
        return {**self.summary(), **dropped, "spans": [_describe(span) for span in spans]}


class TraceBuffer(SpanProcessor):
    """Keeps the `size` traces that ended last."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._open: OrderedDict[int, Trace] = OrderedDict()
        self._ended: OrderedDict[int, Trace] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ended)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Do nothing; spans are stored when they end."""

    def on_end(self, span: ReadableSpan) -> None:
        """Store a span; a local root span ends its trace."""
        trace_id = span.context.trace_id
        trace = self._ended.get(trace_id) or self._open.get(trace_id)
        if trace is None:
            trace = self._open[trace_id] = Trace()
            if len(self._open) > MAX_OPEN_TRACES:
                self._open.popitem(last=False)
        if span.parent is not None and not span.parent.is_remote:
            trace.add(span)
            return
        trace.add_root(span)
        self._open.pop(trace_id, None)
        self._ended[trace_id] = trace
        if len(self._ended) > self.size:
            self._ended.popitem(last=False)

    def find(self, trace_id: str) -> Trace | None:
        """Return the trace with this hexadecimal id, if it is kept."""
        try:
            return self._ended.get(int(trace_id, 16))
        except ValueError:
            return None

    def __iter__(self) -> Iterator[Trace]:
        """Iterate over the ended traces, newest first."""
        return reversed(self._ended.values())


def _describe(span: ReadableSpan) -> dict[str, Any]:
    parent = {"parentSpanId": format_span_id(span.parent.span_id)} if span.parent is not None else {}
    return {
        "spanId": format_span_id(span.context.span_id),
        **parent,
        "name": span.name,
        "kind": span.kind.name,
        "durationMs": _milliseconds(span),
        "status": _status(span),
        "attributes": dict(span.attributes or {}),
    }


def _operation(span: ReadableSpan) -> str:
    for name, value in (span.attributes or {}).items():
        if name.endswith(".operation.id"):
            return str(value)
    return span.name


def _status(span: ReadableSpan) -> str:
    return "error" if span.status.status_code is StatusCode.ERROR else "ok"


def _milliseconds(span: ReadableSpan) -> float:
    return round(((span.end_time or 0) - (span.start_time or 0)) / 1e6, 3)
