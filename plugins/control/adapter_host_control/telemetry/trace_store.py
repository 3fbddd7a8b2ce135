"""The last traces, kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id

MAX_SPANS: Final = 500
"""Of one trace: whoever calls chooses the trace, and may choose the same one for ever."""

MAX_OPEN_TRACES: Final = 2000
"""Traces whose first span has not ended; more than there can be calls in progress."""


class Trace:
    """The spans of one trace that have ended here."""

    __slots__ = ("_spans", "dropped")

    def __init__(self) -> None:
        self._spans: list[ReadableSpan] = []
        self.dropped = 0

    def add(self, span: ReadableSpan) -> None:
        """Keep one more span, unless there are too many."""
        if len(self._spans) < MAX_SPANS:
            self._spans.append(span)
        else:
            self.dropped += 1

    def add_root(self, span: ReadableSpan) -> None:
        """Keep a span that began here: it stands for the trace, so it is never the one too many."""
        if len(self._spans) >= MAX_SPANS:
            self._spans.pop()
            self.dropped += 1
        self._spans.append(span)

    @property
    def root(self) -> ReadableSpan:
        """The span that began first."""
        return min(self._spans, key=lambda span: span.start_time or 0)

    @property
    def operation(self) -> str:
        """What was called."""
        return _operation(self.root)

    @property
    def status(self) -> str:
        """How it ended: `ok` or `error`."""
        return _status(self.root)

    def summary(self) -> dict[str, Any]:
        """What a list tells of it."""
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
        """All that is known of it, its spans in the order of their beginnings."""
        spans = sorted(self._spans, key=lambda span: span.start_time or 0)
        dropped = {"spansDropped": self.dropped} if self.dropped else {}
        return {**self.summary(), **dropped, "spans": [_describe(span) for span in spans]}


class TraceBuffer(SpanProcessor):
    """Keeps the last traces that have ended; `size` is how many."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._open: OrderedDict[int, Trace] = OrderedDict()
        self._ended: OrderedDict[int, Trace] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ended)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing: a span is kept when it ends."""

    def on_end(self, span: ReadableSpan) -> None:
        """Keep a span; with one that began here, its trace has ended."""
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
        """The trace of that id, as `summary` writes it."""
        try:
            return self._ended.get(int(trace_id, 16))
        except ValueError:
            return None

    def __iter__(self) -> Iterator[Trace]:
        """The last one first."""
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
