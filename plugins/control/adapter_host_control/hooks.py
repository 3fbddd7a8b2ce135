"""The plugin's hooks. They import the SDK only when needed, as importing it is slow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from adapter_host import (
    BuildContext,
    Call,
    ConsumedCall,
    ConsumedOperation,
    ConsumerConfig,
    HeaderWriter,
    HttpExposer,
    LoadedCapability,
    Operation,
    OperationSpec,
    Problem,
    RegisterExposer,
    StepSpec,
    hookimpl,
)

from .config import ControlConfig, ObservabilityConfig
from .exposer import ControlExposer
from .telemetry.names import exposer_type, operation_id

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

    from .telemetry.provider import Telemetry


@hookimpl
def register_exposers(register: RegisterExposer) -> None:
    """Register the type `control`."""
    register("control", ControlExposer)


@hookimpl
def check_capability(loaded: LoadedCapability) -> Iterator[Problem]:
    """Report a second control exposer, and a shared port."""
    exposers = loaded.capability.exposes
    controls = [exposer for exposer in exposers if isinstance(exposer, ControlConfig)]
    for duplicate in controls[1:]:
        message = "duplicate control exposer; a capability can have only one"
        yield loaded.source.problem(loaded.loc(duplicate), message, code="second-control")
    for control in controls[:1]:
        for other in exposers:
            if control.port and other.type != "control" and getattr(other, "port", None) == control.port:
                message = (
                    f"port {control.port} is already used by '{other.namespace}'; the control exposer needs its own"
                )
                yield loaded.source.problem(loaded.loc(control, "port"), message, code="control-port")


@hookimpl(tryfirst=True)
def operation_wrapper(operation: Operation, context: BuildContext) -> Callable[[Call], Call] | None:
    """Measure and trace calls of exposed operations, including the wrappers of other plugins."""
    telemetry = _telemetry(context)
    if telemetry is None:
        return None
    from .telemetry.described import request_class_of
    from .telemetry.inbound import OperationTelemetry, wrap_operation
    from .telemetry.spans import in_span

    type_name = exposer_type(context)
    operation_telemetry = OperationTelemetry(telemetry, type_name, operation_id(operation, context.loaded))
    function = "aggregate.flow" if telemetry.prefix == "ikanos" else "aggregate.function"
    inner_spans = [function] if operation.spec.ref else []
    request_class = request_class_of(telemetry.config)
    if type_name == "mcp" and telemetry.config.conventions != "otel":
        inner_spans.insert(0, "mcp.tool")

    def wrap(call: Call) -> Call:
        if telemetry.config.collects_traces:
            for name in reversed(inner_spans):
                call = in_span(telemetry.tracer, name, operation_telemetry.labels, call)
        return wrap_operation(operation_telemetry, call, request_class)

    return wrap


@hookimpl
def reads_request_description(context: BuildContext) -> bool:
    """Read the descriptions of requests with OpenTelemetry's conventions."""
    config = _observability(context)
    return config is not None and config.conventions != "naftiko"


@hookimpl
def step_wrapper(step: StepSpec, operation: OperationSpec, context: BuildContext) -> Callable[[Call], Call] | None:
    """Measure and trace steps."""
    telemetry = _telemetry(context)
    if telemetry is None:
        return None
    from .telemetry.steps import wrap_step

    return lambda call: wrap_step(telemetry, step.type, step.name, call)


@hookimpl(trylast=True)
def consumer_wrapper(
    config: ConsumerConfig, operations: Sequence[ConsumedOperation], context: BuildContext
) -> Callable[[ConsumedOperation, ConsumedCall], ConsumedCall] | None:
    """Measure and trace calls of a consumed API, each attempt separately."""
    telemetry = _telemetry(context)
    if telemetry is None or context.loaded.diagnostics.errors:
        # Operations of an invalid document cannot be described.
        return None
    from .telemetry.outbound import ClientTelemetry

    return lambda operation, call: ClientTelemetry(telemetry, config.type, operation).wrap(call)


@hookimpl
def upstream_headers(config: ConsumerConfig, context: BuildContext) -> HeaderWriter | None:
    """Propagate the trace context to consumed APIs."""
    telemetry = _telemetry(context)
    return telemetry.propagator.inject if telemetry is not None and telemetry.config.collects_traces else None


@hookimpl
def http_middlewares(exposer: HttpExposer[Any], context: BuildContext) -> Iterable[Middleware] | None:
    """Measure and trace HTTP requests until the end of the response."""
    telemetry = _telemetry(context)
    if telemetry is None or isinstance(exposer, ControlExposer):
        return None
    from .telemetry.inbound import request_middleware

    return [request_middleware(telemetry, exposer.config.type)]


def _telemetry(context: BuildContext) -> Telemetry | None:
    """Return the telemetry of the capability; None without a control exposer that serves or exports it."""
    config = _observability(context)
    if config is None:
        return None
    from .telemetry.provider import find_telemetry

    return find_telemetry(context, config)


def _observability(context: BuildContext) -> ObservabilityConfig | None:
    return next(filter(None, map(_active_observability, context.loaded.capability.exposes)), None)


def _active_observability(config: object) -> ObservabilityConfig | None:
    if not isinstance(config, ControlConfig):
        return None
    observability = config.observability
    return observability if observability.collects_metrics or observability.collects_traces else None
