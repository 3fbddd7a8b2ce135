"""What is counted and timed: OpenTelemetry's instruments, and their text for Prometheus."""

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

Labels = Mapping[str, str | int]

BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Between the buckets of durations, in seconds."""


class Counter:
    """A number with its labels; whoever counts holds it, so that counting is an addition and no look-up."""

    __slots__ = ("labels", "value")

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.value = 0


class LabeledCounters:
    """The numbers of one instrument, by their labels."""

    def __init__(self) -> None:
        self._counters: dict[frozenset[tuple[str, str | int]], Counter] = {}

    def with_labels(self, labels: Labels) -> Counter:
        """The number that has these labels."""
        return self._counters.setdefault(frozenset(labels.items()), Counter(labels))

    def observe(self, _: CallbackOptions) -> Iterable[Observation]:
        """All of them, for a reader."""
        return [Observation(counter.value, counter.labels) for counter in list(self._counters.values())]


class Metrics:
    """All that is measured of one capability, from its first start on; `prefix` begins the names (`naftiko`)."""

    def __init__(self, prefix: str, resource: Resource, *, local: bool) -> None:
        self._registry = CollectorRegistry()
        readers = [PrometheusMetricReader(registry=self._registry, scope_info_enabled=False)] if local else []
        self._provider = MeterProvider(readers, resource, AlwaysOffExemplarFilter(), shutdown_on_exit=False)
        self._meter = self._provider.get_meter("adapter_host_control")
        self.requests = self._counter(f"{prefix}.request.total", "Requests.")
        self.errors = self._counter(f"{prefix}.request.errors", "Requests that failed, by the kind of the error.")
        self.client_requests = self._counter(f"{prefix}.http.client.total", "Requests to consumed HTTP APIs.")
        self.active = LabeledCounters()
        description = "Whether the capability is served; two for as long as a reload lets calls end."
        self._meter.create_observable_up_down_counter(
            f"{prefix}.capability.active", [self.active.observe], description=description
        )
        self.request_seconds = self._histogram(f"{prefix}.request.duration.seconds", "How long requests took.")
        self.step_seconds = self._histogram(f"{prefix}.step.duration.seconds", "How long steps took.")
        self.client_seconds = self._histogram(f"{prefix}.http.client.duration.seconds", "How long consumed APIs took.")

    def _counter(self, name: str, description: str) -> LabeledCounters:
        counters = LabeledCounters()
        self._meter.create_observable_counter(name, [counters.observe], description=description)
        return counters

    def _histogram(self, name: str, description: str) -> Histogram:
        return self._meter.create_histogram(
            name, unit="s", description=description, explicit_bucket_boundaries_advisory=BOUNDS
        )

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """All of it as Prometheus reads it, in the form that an Accept header asks for, and its Content-Type."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def add_reader(self, reader: MetricReader) -> None:
        """Let somebody else read too, what is measured from now on."""
        self._provider.add_metric_reader(reader)

    def remove_reader(self, reader: MetricReader) -> None:
        """Let somebody read no more."""
        self._provider.remove_metric_reader(reader)
