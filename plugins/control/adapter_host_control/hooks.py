"""The hooks. The SDK, which takes a moment, is imported where a document asks for what needs it."""

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
from .telemetry.names import operation_id, type_of

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

    from .telemetry.provider import Telemetry


@hookimpl
def register_exposers(register: RegisterExposer) -> None:
    """Serve the type `control`."""
    register("control", ControlExposer)


@hookimpl
def check_capability(loaded: LoadedCapability) -> Iterator[Problem]:
    """Refuse a second control exposer, and one that shares its port."""
    exposers = loaded.capability.exposes
    controls = [exposer for exposer in exposers if isinstance(exposer, ControlConfig)]
    for second in controls[1:]:
        message = "a capability has one control exposer at most (leave this one out)"
        yield loaded.source.problem(loaded.loc(second), message, code="second-control")
    for control in controls[:1]:
        for other in exposers:
            if control.port and other.type != "control" and getattr(other, "port", None) == control.port:
                message = f"port {control.port} is that of '{other.namespace}' (the control exposer needs its own)"
                yield loaded.source.problem(loaded.loc(control, "port"), message, code="control-port")


@hookimpl(tryfirst=True)
def operation_wrapper(operation: Operation, context: BuildContext) -> Callable[[Call], Call] | None:
    """Measure and trace the calls of an exposed operation, all that other plugins do included."""
    telemetry = _telemetry(context)
    if telemetry is None:
        return None
    from .telemetry.inbound import Kind, wrap_request
    from .telemetry.spans import spanned

    type = type_of(context)
    kind = Kind(telemetry, type, operation_id(operation, context.loaded))
    function = "aggregate.flow" if telemetry.prefix == "ikanos" else "aggregate.function"
    inner = [function] if operation.spec.ref else []
    if type == "mcp":
        inner.insert(0, "mcp.tool")

    def wrap(call: Call) -> Call:
        if telemetry.config.traces_calls:
            for name in reversed(inner):
                call = spanned(telemetry.tracer, name, kind.labels, call)
        return wrap_request(kind, call)

    return wrap


@hookimpl
def step_wrapper(step: StepSpec, operation: OperationSpec, context: BuildContext) -> Callable[[Call], Call] | None:
    """Measure and trace what a step does."""
    telemetry = _telemetry(context)
    if telemetry is None:
        return None
    from .telemetry.steps import wrap_step

    return lambda call: wrap_step(telemetry, step.type, step.name, call)


@hookimpl(trylast=True)
def consumer_wrapper(
    config: ConsumerConfig, operations: Sequence[ConsumedOperation], context: BuildContext
) -> Callable[[ConsumedOperation, ConsumedCall], ConsumedCall] | None:
    """Measure and trace the calls of a consumed API, each attempt of them by itself."""
    telemetry = _telemetry(context)
    if telemetry is None or context.loaded.diagnostics.errors:
        # What a wrong document declares cannot be described, and is not built.
        return None
    from .telemetry.outbound import Client

    return lambda operation, call: Client(telemetry, config.type, operation).wrap(call)


@hookimpl
def upstream_headers(config: ConsumerConfig, context: BuildContext) -> HeaderWriter | None:
    """Tell consumed APIs which trace their requests belong to."""
    telemetry = _telemetry(context)
    return telemetry.propagator.inject if telemetry is not None and telemetry.config.traces_calls else None


@hookimpl
def http_middlewares(exposer: HttpExposer[Any], context: BuildContext) -> Iterable[Middleware] | None:
    """See requests from their beginning to the end of their answers."""
    telemetry = _telemetry(context)
    if telemetry is None or isinstance(exposer, ControlExposer):
        return None
    from .telemetry.inbound import request_middleware

    return [request_middleware(telemetry, exposer.config.type)]


def _telemetry(context: BuildContext) -> Telemetry | None:
    """What the document's control exposer asks for; None where there is none, or where nobody would read it."""
    config = next((_wanted(each) for each in context.loaded.capability.exposes if _wanted(each)), None)
    if config is None:
        return None
    from .telemetry.provider import telemetry_of

    return telemetry_of(context, config)


def _wanted(config: object) -> ObservabilityConfig | None:
    if not isinstance(config, ControlConfig):
        return None
    observability = config.observability
    return observability if observability.measures or observability.traces_calls else None
