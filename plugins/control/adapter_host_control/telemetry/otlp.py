"""Exports traces and metrics over OTLP."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from opentelemetry.context import Context
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from adapter_host import DaemonThreads

from .metrics import Metrics

if TYPE_CHECKING:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

PUSH_INTERVAL: Final = 60.0
"""Seconds between two exports of metrics."""

EXPORT_TIMEOUT: Final = 5.0
"""Timeout of one export in seconds, including the last one on stop."""

MAX_QUEUED_SPANS: Final = 2048
"""Maximum number of queued spans; more are dropped."""


class SpanRelay(SpanProcessor):
    """Passes ended spans to the current target, if there is one."""

    def __init__(self) -> None:
        self.target: SpanProcessor | None = None

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Do nothing; spans are passed on when they end."""

    def on_end(self, span: ReadableSpan) -> None:
        """Pass a span on."""
        if self.target is not None:
            self.target.on_end(span)


class OtlpExporter:
    """Exports the spans of a relay and the metrics to one collector until it is closed."""

    def __init__(self, collector_url: str, relay: SpanRelay, metrics: Metrics) -> None:
        self._collector_url = collector_url.rstrip("/")
        self._relay = relay
        self._metrics = metrics
        self._reader = InMemoryMetricReader()
        self._span_processor: BatchSpanProcessor | None = None
        self._metric_exporter: OTLPMetricExporter | None = None
        self._push_task: asyncio.Task[None] | None = None
        self._threads = DaemonThreads(2)

    def open(self) -> None:
        """Start exporting."""
        # Imported here because the packages are optional.
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        # One batch holds the full queue, so that the last export keeps to its timeout.
        spans = OTLPSpanExporter(f"{self._collector_url}/v1/traces", timeout=EXPORT_TIMEOUT)
        self._span_processor = BatchSpanProcessor(
            spans, max_queue_size=MAX_QUEUED_SPANS, max_export_batch_size=MAX_QUEUED_SPANS
        )
        self._relay.target = self._span_processor
        self._metric_exporter = OTLPMetricExporter(f"{self._collector_url}/v1/metrics", timeout=EXPORT_TIMEOUT)
        self._metrics.add_reader(self._reader)
        self._push_task = asyncio.create_task(self._push_periodically())

    async def _push_periodically(self) -> None:
        while True:
            await asyncio.sleep(PUSH_INTERVAL)
            await self._threads.run(self._push)

    def _push(self) -> None:
        data = self._reader.get_metrics_data()
        if data is not None and self._metric_exporter is not None:
            self._metric_exporter.export(data)

    async def close(self) -> None:
        """Export the remaining data within the timeout, and stop."""
        push_task, self._push_task = self._push_task, None
        if push_task is not None:
            push_task.cancel()
        self._relay.target = None
        spans, metric_exporter = self._span_processor, self._metric_exporter
        if spans is None or metric_exporter is None:
            return
        # A collector may prolong an export beyond its timeout, byte by byte.
        with suppress(TimeoutError):
            async with asyncio.timeout(EXPORT_TIMEOUT + 1):
                await asyncio.gather(self._threads.run(spans.shutdown), self._threads.run(self._push))
        metric_exporter.shutdown()
        self._metrics.remove_reader(self._reader)
        self._span_processor = self._metric_exporter = None
