"""What one build of a capability measures and traces with; without a control exposer that asks for it there is none."""

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

from .metrics import Measures
from .otlp import Relay, Sender
from .trace_store import TraceBuffer

KEPT: Final = "adapter_host_control"

_PROPAGATORS: Final[Mapping[str, type[TextMapPropagator]]] = {
    "w3c": TraceContextTextMapPropagator,
    "b3": B3MultiFormat,
}
_W3C: Final = TraceContextTextMapPropagator()


class Telemetry:
    """Counts, times and traces. `prefix` begins all names: that of the language the document is written in."""

    def __init__(
        self, prefix: str, label: str, config: ObservabilityConfig, measures: Measures, buffer: TraceBuffer
    ) -> None:
        self.prefix = prefix
        self.config = config
        self.measures = measures
        self.buffer = buffer
        self._active = measures.active.of({f"{prefix}.capability": label})
        self._relay = Relay()
        self._open = AsyncExitStack()
        sampler = ParentBased(TraceIdRatioBased(config.traces.sampling))
        provider = TracerProvider(sampler=sampler, resource=_resource(prefix, label), shutdown_on_exit=False)
        if config.shows_traces:
            provider.add_span_processor(buffer)
        provider.add_span_processor(self._relay)
        self.tracer = provider.get_tracer("adapter_host_control")
        self.propagator = _PROPAGATORS[config.traces.propagation]()

    def parent(self, headers: Mapping[str, str] | None) -> Context:
        """What a call from outside belongs to: as the call itself says, else its HTTP headers."""
        carried = TRACE_CONTEXT.get()
        if carried is not None:
            return _W3C.extract(carried, Context())
        return self.propagator.extract(headers, Context()) if headers is not None else Context()

    async def open(self, endpoint: str | None) -> None:
        """The capability is served from now on; everything goes to the collector at `endpoint` too, if there is one."""
        self._active.value += 1
        self._open.callback(self._leave)
        if endpoint:
            sender = Sender(endpoint, self._relay, self.measures)
            sender.open()
            self._open.push_async_callback(sender.close)

    def _leave(self) -> None:
        self._active.value -= 1

    async def close(self) -> None:
        """The capability is served no more."""
        await self._open.aclose()


class Memory:
    """What outlives a reload: the measures, the last traces; and what the parts of one build share."""

    def __init__(self) -> None:
        self._measures: dict[tuple[Any, ...], Measures] = {}
        self._buffers: dict[tuple[Any, ...], TraceBuffer] = {}
        self._telemetries: WeakKeyDictionary[LoadedCapability, Telemetry] = WeakKeyDictionary()

    def telemetry(self, loaded: LoadedCapability, config: ObservabilityConfig) -> Telemetry:
        """That of one build."""
        if loaded not in self._telemetries:
            self._telemetries[loaded] = self._make(loaded, config)
        return self._telemetries[loaded]

    def _make(self, loaded: LoadedCapability, config: ObservabilityConfig) -> Telemetry:
        prefix = "ikanos" if "ikanos" in loaded.source.data else "naftiko"
        label, size = loaded.capability.label, config.traces.local.buffer_size
        own = (loaded.source.file, prefix, label)
        local = config.shows_metrics
        if (*own, local) not in self._measures:
            self._measures[*own, local] = Measures(prefix, _resource(prefix, label), local=local)
        buffer = self._buffers.setdefault((*own, size), TraceBuffer(size))
        return Telemetry(prefix, label, config, self._measures[*own, local], buffer)


def telemetry_of(context: BuildContext, config: ObservabilityConfig) -> Telemetry:
    """What the build that an adapter belongs to measures and traces with."""
    return context.shared_state(KEPT, Memory).telemetry(context.loaded, config)


def _resource(prefix: str, label: str) -> Resource:
    return Resource.create({"service.name": f"{prefix}-{label}"})
