"""OpenTelemetry instruments and their Prometheus exposition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Histogram, Observation
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from adapter_host import DurationMetric

Labels = Mapping[str, str | int]

BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Bucket boundaries of durations, in seconds."""


class Counter:
    """A counter with its labels; callers keep a reference, so that counting needs no lookup."""

    __slots__ = ("labels", "value")

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.value = 0


class LabeledCounters:
    """The counters of one instrument, by labels."""

    def __init__(self) -> None:
        self._counters: dict[frozenset[tuple[str, str | int]], Counter] = {}

    def with_labels(self, labels: Labels) -> Counter:
        """Return the counter with these labels."""
        return self._counters.setdefault(frozenset(labels.items()), Counter(labels))

    def observe(self, _: CallbackOptions) -> Iterable[Observation]:
        """Return all values, for a metric reader."""
        return [Observation(counter.value, counter.labels) for counter in list(self._counters.values())]


class Metrics:
    """Metrics of one capability, kept across reloads; `prefix` begins the names (`naftiko`)."""

    def __init__(self, prefix: str, resource: Resource, *, local: bool) -> None:
        self._registry = CollectorRegistry()
        readers = [PrometheusMetricReader(registry=self._registry, scope_info_enabled=False)] if local else []
        self._provider = MeterProvider(readers, resource, AlwaysOffExemplarFilter(), shutdown_on_exit=False)
        self._meter = self._provider.get_meter("adapter_host_control")
        self.requests = self._counter(f"{prefix}.request.total", "Requests.")
        self.errors = self._counter(f"{prefix}.request.errors", "Failed requests, by type of error.")
        self.client_requests = self._counter(f"{prefix}.http.client.total", "Requests to consumed HTTP APIs.")
        self.active = LabeledCounters()
        description = "Versions of the capability in service; 2 while a reload drains the previous one."
        self._meter.create_observable_up_down_counter(
            f"{prefix}.capability.active", [self.active.observe], description=description
        )
        self._described: dict[str, Histogram] = {}
        self.request_seconds = self._histogram(f"{prefix}.request.duration.seconds", "Duration of requests.")
        self.step_seconds = self._histogram(f"{prefix}.step.duration.seconds", "Duration of steps.")
        self.client_seconds = self._histogram(
            f"{prefix}.http.client.duration.seconds", "Duration of requests to consumed APIs."
        )

    def _counter(self, name: str, description: str) -> LabeledCounters:
        counters = LabeledCounters()
        self._meter.create_observable_counter(name, [counters.observe], description=description)
        return counters

    def _histogram(self, name: str, description: str) -> Histogram:
        return self._meter.create_histogram(
            name, unit="s", description=description, explicit_bucket_boundaries_advisory=BOUNDS
        )

    def described_seconds(self, metric: DurationMetric) -> Histogram:
        """Return the histogram of a metric that an exposer describes, creating it on first use."""
        if metric.name not in self._described:
            self._described[metric.name] = self._meter.create_histogram(
                metric.name, unit="s", description=metric.description, explicit_bucket_boundaries_advisory=metric.bounds
            )
        return self._described[metric.name]

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return the Prometheus exposition in the format of an Accept header, and its Content-Type."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def add_reader(self, reader: MetricReader) -> None:
        """Attach a reader for metrics recorded from now on."""
        self._provider.add_metric_reader(reader)

    def remove_reader(self, reader: MetricReader) -> None:
        """Detach a reader."""
        self._provider.remove_metric_reader(reader)
