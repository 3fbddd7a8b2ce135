"""Sending traces and metrics on, over OTLP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from opentelemetry.context import Context
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from .metrics import Measures

if TYPE_CHECKING:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

INTERVAL: Final = 60.0
"""Seconds between two times that metrics are sent."""

TIMEOUT: Final = 5.0
"""Seconds that one sending may take, the last one at a stop included."""

QUEUE: Final = 2048
"""Spans that wait to be sent; what does not fit is dropped."""


class Relay(SpanProcessor):
    """Hands spans to whoever takes them at the time, if anybody does."""

    def __init__(self) -> None:
        self.target: SpanProcessor | None = None

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing: spans are handed on when they end."""

    def on_end(self, span: ReadableSpan) -> None:
        """Hand a span on."""
        if self.target is not None:
            self.target.on_end(span)


class Sender:
    """Sends to one collector what a relay and the measures give, until it is closed."""

    def __init__(self, endpoint: str, relay: Relay, measures: Measures) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._relay = relay
        self._measures = measures
        self._reader = InMemoryMetricReader()
        self._spans: BatchSpanProcessor | None = None
        self._metrics: OTLPMetricExporter | None = None
        self._pushing: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to send."""
        # Imported here: without OTLP in the document its packages need not be installed.
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        # All that waits goes in one piece, so that the last sending keeps to its time.
        spans = OTLPSpanExporter(f"{self._endpoint}/v1/traces", timeout=TIMEOUT)
        self._spans = BatchSpanProcessor(spans, max_queue_size=QUEUE, max_export_batch_size=QUEUE)
        self._relay.target = self._spans
        self._metrics = OTLPMetricExporter(f"{self._endpoint}/v1/metrics", timeout=TIMEOUT)
        self._measures.add(self._reader)
        self._pushing = asyncio.create_task(self._push_now_and_then())

    async def _push_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            await asyncio.to_thread(self._push)

    def _push(self) -> None:
        data = self._reader.get_metrics_data()
        if data is not None and self._metrics is not None:
            self._metrics.export(data)

    async def close(self) -> None:
        """Send what is left, for as long as that may take, and no more."""
        pushing, self._pushing = self._pushing, None
        if pushing is not None:
            pushing.cancel()
        self._relay.target = None
        spans, metrics = self._spans, self._metrics
        if spans is None or metrics is None:
            return
        await asyncio.gather(asyncio.to_thread(spans.shutdown), asyncio.to_thread(self._push))
        metrics.shutdown()
        self._measures.remove(self._reader)
        self._spans = self._metrics = None
