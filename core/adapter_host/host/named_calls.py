"""Calls of operations by their names, by the application of a host."""

from __future__ import annotations

from collections.abc import Sequence

from adapter_host.compiler.plan import Plan
from adapter_host.errors import NotFoundError
from adapter_host.operation.callers import Caller, CallSite
from adapter_host.operation.operation import Arguments, ConsumedOperation, Operation
from adapter_host.operation.result import Result


async def call_by_name(plans: Sequence[Plan], name: str, arguments: Arguments, caller: Caller, limit: int) -> Result:
    """Return the complete result of an operation; raise `OperationError`, also for more than `limit` bytes."""
    plan, operation = _find(plans, name)
    with CallSite(plan.loaded.capability.label).call(**caller):
        result = await operation.call(arguments)
        return await result.hold(limit)


def _find(plans: Sequence[Plan], name: str) -> tuple[Plan, Operation | ConsumedOperation]:
    """Return the exposed, or else the consumed, operation `namespace.name`; raise `NotFoundError`."""
    exposed = [
        (plan, operation)
        for plan in plans
        for exposer_plan in plan.exposers
        for operation in exposer_plan.exposer.operations.values()
        if name == f"{exposer_plan.exposer.config.namespace}.{operation.name}"
    ]
    served = [plan for plan in plans if plan.is_served]
    consumed = [(plan, operation) for plan in served for operation in plan.consumed if name in operation.names]
    matches: Sequence[tuple[Plan, Operation | ConsumedOperation]] = exposed or consumed
    if len(matches) != 1:
        raise NotFoundError(f"several operations are named '{name}'" if matches else f"unknown operation '{name}'")
    return matches[0]
