"""What the plans of a host have, by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from adapter_host.compiler.plan import Plan
from adapter_host.errors import NotFoundError
from adapter_host.operation.operation import ConsumedOperation, Operation
from adapter_host.plugin.step_type import StepType


def find_operation(plans: Iterable[Plan], name: str) -> tuple[Plan, Operation | ConsumedOperation]:
    """Return the exposed, or else the consumed, operation `namespace.name`, and its plan; raise `NotFoundError`."""
    exposed: list[tuple[Plan, Operation]] = []
    consumed: list[tuple[Plan, ConsumedOperation]] = []
    for plan in plans:
        for exposer_plan in plan.exposers:
            for operation in exposer_plan.exposer.operations.values():
                if name == f"{exposer_plan.exposer.config.namespace}.{operation.name}":
                    exposed.append((plan, operation))
        consumed += [(plan, operation) for operation in plan.consumed if name in operation.names]
    matches: Sequence[tuple[Plan, Operation | ConsumedOperation]] = exposed or consumed
    if len(matches) != 1:
        raise NotFoundError(f"several operations are named '{name}'" if matches else f"unknown operation '{name}'")
    return matches[0]


def step_types_of(plans: Iterable[Plan]) -> dict[str, tuple[StepType[Any], ...]]:
    """Return the step types of plugins, by type; one for each plan that uses it."""
    by_type: dict[str, tuple[StepType[Any], ...]] = {}
    for plan in plans:
        for name, step_type in plan.step_types.items():
            by_type[name] = (*by_type.get(name, ()), step_type)
    return by_type
