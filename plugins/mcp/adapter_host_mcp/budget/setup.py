"""The budgets of an exposer's tools, from its document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from adapter_host import BuildContext
from adapter_host_mcp.budget_config import BudgetSpec
from adapter_host_mcp.config import McpConfig, McpToolSpec
from adapter_host_mcp.features.tools import Tool

from .held import HeldResults
from .next_items import next_items_tool
from .results import NEXT_ITEMS, Budget

RESERVED_NAME: Final = f"'{NEXT_ITEMS}' is the name of a tool of 'x-budget'; rename this one"


@dataclass(frozen=True, slots=True)
class Budgets:
    """Tools with their budgets; `is_declared` is whether the document has any `x-budget` that is not `false`."""

    tools: Mapping[str, Tool]
    held: HeldResults
    is_declared: bool

    @property
    def added(self) -> Mapping[str, Tool]:
        """The tools that continue results, by name."""
        if not self.is_declared or not self.tools:
            return {}
        return {NEXT_ITEMS: next_items_tool(self.tools, self.held, next(iter(self.tools.values())))}


def apply_budgets(config: McpConfig, tools: Mapping[str, Tool], context: BuildContext) -> Budgets:
    """Return the tools with their budgets, and report one with the name of the tool that continues results."""
    specs = {name: _declared(config, tool) for name, tool in tools.items()}
    prepared = {
        name: _with_selection(config, tool, context) if _selects(specs[name]) else tool for name, tool in tools.items()
    }
    if _selects(config.x_budget) and not config.x_include:
        _warn_without_fields(config, tools.values(), context)
    budgets = _build(prepared, specs, HeldResults(context))
    if budgets.is_declared and NEXT_ITEMS in tools:
        context.problem(RESERVED_NAME, tools[NEXT_ITEMS].operation.spec, "name", code="reserved-name")
    return budgets


def adopt_budgets(config: McpConfig, tools: Mapping[str, Tool], held: HeldResults, context: BuildContext) -> Budgets:
    """Return tools, some of which are included, with their own budgets, and results in `held`.

    Included tools without a budget of their own have that of the exposer that includes them.
    """
    specs = {name: _adopted(config, tool) for name, tool in tools.items()}
    prepared = {
        name: _with_selection(config, tool, context) if _inherits_selection(config, specs[name], tool) else tool
        for name, tool in tools.items()
    }
    if _selects(config.x_budget):
        _warn_without_fields(config, tools.values(), context)
    return _build(prepared, specs, held)


def _inherits_selection(config: McpConfig, spec: BudgetSpec | None, tool: Tool) -> bool:
    return _selects(spec) and spec is config.x_budget and tool.operation.origin is not None


def _selects(spec: BudgetSpec | None) -> bool:
    return spec is not None and spec.select


def _build(tools: Mapping[str, Tool], specs: Mapping[str, BudgetSpec | None], held: HeldResults) -> Budgets:
    is_declared = any(spec is not None and spec.enabled for spec in specs.values())
    budgeted = {}
    for name, tool in tools.items():
        declared = specs[name]
        spec = BudgetSpec() if declared is None else declared
        if not spec.enabled:
            budgeted[name] = tool
            continue
        budget = Budget(spec, held, is_declared, declared is not None)
        budgeted[name] = replace(tool, budget=budget, most_bytes=spec.limit)
    return Budgets(budgeted, held, is_declared)


def _warn_without_fields(config: McpConfig, tools: Iterable[Tool], context: BuildContext) -> None:
    from .selection import describes_fields

    if not any(map(describes_fields, tools)):
        message = "'select' is ignored, as no tool has a schema of its result with fields; declare 'outputParameters'"
        context.warn(message, config, "x-budget", "select", code="ignored")


def _with_selection(config: McpConfig, tool: Tool, context: BuildContext) -> Tool:
    # Imported late, as few documents have selections.
    from .selection import add_selection

    spec = tool.operation.spec
    is_own = isinstance(spec, McpToolSpec) and spec.x_budget is not None
    return add_selection(tool, context, spec if is_own else config, is_own=is_own)


def _declared(config: McpConfig, tool: Tool) -> BudgetSpec | None:
    spec = tool.operation.spec
    own = spec.x_budget if isinstance(spec, McpToolSpec) else None
    return config.x_budget if own is None else own


def _adopted(config: McpConfig, tool: Tool) -> BudgetSpec | None:
    """Return the budget that a tool or its own exposer declares, or else that of the exposer that includes it."""
    if isinstance(tool.budget, Budget) and tool.budget.is_declared:
        return tool.budget.spec
    is_disabled = tool.budget is None and isinstance(tool.operation.spec, McpToolSpec)
    return BudgetSpec(enabled=False) if is_disabled else config.x_budget
