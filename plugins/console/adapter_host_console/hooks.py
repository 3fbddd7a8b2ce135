"""The hooks of the plugin. They import the server only when a console is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from adapter_host import (
    BuildContext,
    Call,
    CallRecord,
    ConsumedCall,
    ConsumedOperation,
    ConsumerConfig,
    Operation,
    OperationSpec,
    RegisterSettings,
    StepSpec,
    hookimpl,
    plugin_settings,
)

from .settings import PLUGIN, ConsoleSettings

if TYPE_CHECKING:
    from adapter_host import Host

    from .call_log import CallLog
    from .server import ConsoleServer
    from .traces import Traces
    from .upstreams import UpstreamLog

_TRACES: Final = "adapter_host_console.traces"
_UPSTREAMS: Final = "adapter_host_console.upstreams"
_LOGS: Final[WeakKeyDictionary[Host, CallLog]] = WeakKeyDictionary()
_SERVERS: Final[WeakKeyDictionary[Host, ConsoleServer]] = WeakKeyDictionary()


@hookimpl
def register_settings(register: RegisterSettings) -> None:
    """Register the settings."""
    register(ConsoleSettings)


@hookimpl
def record_calls(host: Any) -> Callable[[CallRecord], None] | None:
    """Keep the latest records."""
    if PLUGIN not in host.settings.plugins or _settings(host).port is None:
        return None
    from .call_log import CallLog

    _LOGS[host] = CallLog()
    return _LOGS[host].record


@hookimpl(tryfirst=True)
def operation_wrapper(operation: Operation, context: BuildContext) -> Callable[[Call], Call] | None:
    """Trace the calls of an operation."""
    traces = _traces(context)
    return None if traces is None else lambda call: traces.wrap_call(operation.name, call)


@hookimpl(trylast=True)
def consumer_wrapper(
    config: ConsumerConfig, operations: Sequence[ConsumedOperation], context: BuildContext
) -> Callable[[ConsumedOperation, ConsumedCall], ConsumedCall] | None:
    """Trace and count the calls of a consumed API, each attempt separately."""
    traces = _traces(context)
    if traces is None:
        return None
    upstreams, loaded = _upstreams(context), context.loaded
    return lambda operation, call: traces.wrap_upstream(operation, upstreams.wrap(loaded, config.namespace, call))


@hookimpl
def step_wrapper(step: StepSpec, operation: OperationSpec, context: BuildContext) -> Callable[[Call], Call] | None:
    """Trace the steps of an operation."""
    traces = _traces(context)
    return None if traces is None else lambda call: traces.wrap_step(step.name, call)


@hookimpl
async def host_started(host: Any) -> None:
    """Serve the console, and print a login link."""
    log = _LOGS.get(host)
    if log is None:
        return
    from .server import ConsoleServer

    contexts = [each.exposer.context for plan in host.plans for each in plan.exposers][:1]
    traces = next((found for found in map(_traces, contexts) if found is not None), None)
    upstreams = next(map(_upstreams, contexts), None)
    _SERVERS[host] = ConsoleServer(host, _settings(host), log, traces, upstreams)
    await _SERVERS[host].start()


@hookimpl
async def host_stopped(host: Any) -> None:
    """Stop the console."""
    server = _SERVERS.pop(host, None)
    if server is not None:
        await server.stop()


def _settings(host: Any) -> ConsoleSettings:
    return plugin_settings(host.settings, PLUGIN, ConsoleSettings)


def _traces(context: BuildContext) -> Traces | None:
    """Return the traces of the host, or None without a console."""
    if PLUGIN not in context.settings.plugins or context.plugin_settings(PLUGIN, ConsoleSettings).port is None:
        return None
    from .traces import Traces

    return context.shared_state(_TRACES, Traces)


def _upstreams(context: BuildContext) -> UpstreamLog:
    from .upstreams import UpstreamLog

    return context.shared_state(_UPSTREAMS, UpstreamLog)
