"""Apply the wrappers of plugins to exposed operations, steps and consumed operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapter_host.capability.spec import OperationSpec
from adapter_host.capability.step_specs import StepSpec
from adapter_host.document.messages import join_words
from adapter_host.errors import PluginError
from adapter_host.operation.limiter import CallLimiter, limit_calls
from adapter_host.operation.operation import Arguments, Call, ConsumedOperation, Operation
from adapter_host.operation.result import Result
from adapter_host.plugin.consumer import ConsumedCall
from adapter_host.plugin.context import BuildContext
from adapter_host.plugin.loading.manager import Plugins

from .call_records import record_operation
from .steps.compiler import WrapStep
from .steps.flow import Work
from .values.argument_checks import compile_validator
from .values.result_checks import check_results


def apply_wrappers(
    operation: Operation, plugins: Plugins, context: BuildContext, limiter: CallLimiter, *, convert: bool = False
) -> Operation:
    """Wrap the call of an operation: plugins innermost, then the call limit, then the validation of arguments.

    With `convert`, texts in arguments are converted where text is not allowed. An access log is outermost.
    """
    call = check_results(operation)
    wrappers = plugins.call_hook("operation_wrapper", operation=operation, context=context)
    for wrap in reversed(wrappers):
        call = wrap(call)
    if wrappers:
        call = _check_type(call, operation, plugins.hook_order("operation_wrapper"), "operation_wrapper")
    call = limit_calls(call, compile_validator(operation.inputs, convert=convert), limiter)
    outer_wrappers = plugins.call_hook("call_wrapper", operation=operation, context=context)
    for wrap in reversed(outer_wrappers):
        call = wrap(call)
    if outer_wrappers:
        call = _check_type(call, operation, plugins.hook_order("call_wrapper"), "call_wrapper")
    if (write := context.settings.access_log) is not None:
        call = record_operation(call, operation, context.site, write)
    return replace(operation, call=call)


def _check_type(call: Call, operation: Operation, wrapped_by: Sequence[str], hook: str) -> Call:
    """Return a call that raises `PluginError` if a wrapper returned something else than a `Result`."""

    async def checked(arguments: Arguments) -> Result:
        result: Any = await call(arguments)
        if not isinstance(result, Result):
            names = join_words([f"'{name}'" for name in wrapped_by], "or")
            given = type(result).__name__
            raise PluginError(f"{hook} of plugin {names}: '{operation.name}' returned {given}, not a Result")
        return result

    return checked


def compile_step_wrapper(plugins: Plugins, context: BuildContext) -> WrapStep:
    """Return a function that applies the wrappers of plugins to the work of a step."""

    def wrap_step(step: StepSpec, operation: OperationSpec, work: Work) -> Work:
        for wrap in reversed(plugins.call_hook("step_wrapper", step=step, operation=operation, context=context)):
            work = wrap(work)
        return work

    return wrap_step


class WrappedConsumed(ConsumedOperation):
    """A consumed operation whose call is wrapped."""

    def __init__(self, operation: ConsumedOperation, call: ConsumedCall) -> None:
        for name in ConsumedOperation.__annotations__:
            setattr(self, name, getattr(operation, name))
        self._operation = operation
        self._call = call

    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        return await self._call(arguments, stream=stream)

    def describe(self) -> Mapping[str, Any]:
        """Return the description of the wrapped operation."""
        return self._operation.describe()

    def preview(self, arguments: Arguments) -> Mapping[str, Any]:
        """Return the preview of the wrapped operation."""
        return self._operation.preview(arguments)


def wrap_consumed(operation: ConsumedOperation, call: ConsumedCall) -> ConsumedOperation:
    """Return the operation with another call; the same operation when the call is its own."""
    return operation if call == operation.call else WrappedConsumed(operation, call)
