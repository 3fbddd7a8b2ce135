"""Telemetry of one loaded capability, created if a control exposer needs it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Final
from weakref import WeakKeyDictionary

from opentelemetry.context import Context
from opentelemetry.propagators.b3 import B3MultiFormat
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from adapter_host import TRACE_CONTEXT, BuildContext, LoadedCapability
from adapter_host_control.config import ObservabilityConfig

from .metrics import Metrics
from .otlp import OtlpExporter, SpanRelay
from .trace_store import TraceBuffer

STATE_NAME: Final = "adapter_host_control"

_PROPAGATORS: Final[Mapping[str, type[TextMapPropagator]]] = {
    "w3c": TraceContextTextMapPropagator,
    "b3": B3MultiFormat,
}
_W3C: Final = TraceContextTextMapPropagator()


class Telemetry:
    """Metrics and traces of one loaded capability; `prefix` begins all names (`naftiko` or `ikanos`)."""

    def __init__(
        self, prefix: str, label: str, config: ObservabilityConfig, metrics: Metrics, buffer: TraceBuffer
    ) -> None:
        self.prefix = prefix
        self.config = config
        self.metrics = metrics
        self.buffer = buffer
        self._active = metrics.active.with_labels({f"{prefix}.capability": label})
        self._relay = SpanRelay()
        self._exit_stack = AsyncExitStack()
        sampler = ParentBased(TraceIdRatioBased(config.traces.sampling))
        provider = TracerProvider(sampler=sampler, resource=_resource(prefix, label), shutdown_on_exit=False)
        if config.serves_traces:
            provider.add_span_processor(buffer)
        provider.add_span_processor(self._relay)
        self.tracer = provider.get_tracer("adapter_host_control")
        self.propagator = _PROPAGATORS[config.traces.propagation]()

    def parent(self, headers: Mapping[str, str] | None) -> Context:
        """Return the parent context of a call: that of the call itself, or else of the HTTP headers."""
        trace_context = TRACE_CONTEXT.get()
        if trace_context is not None:
            return _W3C.extract(trace_context, Context())
        return self.propagator.extract(headers, Context()) if headers is not None else Context()

    async def open(self, collector_url: str | None) -> None:
        """Count the capability as active, and start to export to the collector, if there is one."""
        self._active.value += 1
        self._exit_stack.callback(self._deactivate)
        if collector_url:
            exporter = OtlpExporter(collector_url, self._relay, self.metrics)
            exporter.open()
            self._exit_stack.push_async_callback(exporter.close)

    def _deactivate(self) -> None:
        self._active.value -= 1

    async def close(self) -> None:
        """Stop exporting, and count the capability as inactive."""
        await self._exit_stack.aclose()


class TelemetryStore:
    """Metrics and traces kept across reloads, and the telemetry of each loaded capability."""

    def __init__(self) -> None:
        self._metrics: dict[tuple[Any, ...], Metrics] = {}
        self._buffers: dict[tuple[Any, ...], TraceBuffer] = {}
        self._by_capability: WeakKeyDictionary[LoadedCapability, Telemetry] = WeakKeyDictionary()

    def telemetry(self, loaded: LoadedCapability, config: ObservabilityConfig) -> Telemetry:
        """Return the telemetry of a loaded capability, creating it on first use."""
        if loaded not in self._by_capability:
            self._by_capability[loaded] = self._create(loaded, config)
        return self._by_capability[loaded]

    def _create(self, loaded: LoadedCapability, config: ObservabilityConfig) -> Telemetry:
        prefix = "ikanos" if "ikanos" in loaded.source.data else "naftiko"
        label, size = loaded.capability.label, config.traces.local.buffer_size
        key = (loaded.source.file, prefix, label)
        local = config.serves_metrics
        if (*key, local) not in self._metrics:
            self._metrics[*key, local] = Metrics(prefix, _resource(prefix, label), local=local)
        buffer = self._buffers.setdefault((*key, size), TraceBuffer(size))
        return Telemetry(prefix, label, config, self._metrics[*key, local], buffer)


def find_telemetry(context: BuildContext, config: ObservabilityConfig) -> Telemetry:
    """Return the telemetry of the capability that is being built."""
    return context.shared_state(STATE_NAME, TelemetryStore).telemetry(context.loaded, config)


def _resource(prefix: str, label: str) -> Resource:
    return Resource.create({"service.name": f"{prefix}-{label}"})
