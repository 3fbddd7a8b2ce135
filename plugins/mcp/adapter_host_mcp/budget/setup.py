"""The budgets of an exposer's tools, from its document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from adapter_host import BuildContext
from adapter_host_mcp.budget_config import BudgetSpec
from adapter_host_mcp.config import McpConfig, McpToolSpec
from adapter_host_mcp.features.tools import Tool

from .held import HeldResults
from .next_items import next_items_tool
from .results import NEXT_ITEMS, Budget


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
    held = HeldResults(context)
    specs = {name: _declared(config, tool) for name, tool in tools.items()}
    is_declared = any(spec is not None and spec.enabled for spec in specs.values())
    if is_declared and NEXT_ITEMS in tools:
        message = f"'{NEXT_ITEMS}' is the name of a tool of 'x-budget'; rename this one"
        context.problem(message, tools[NEXT_ITEMS].operation.spec, "name", code="reserved-name")
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


def _declared(config: McpConfig, tool: Tool) -> BudgetSpec | None:
    spec = tool.operation.spec
    own = spec.x_budget if isinstance(spec, McpToolSpec) else None
    return config.x_budget if own is None else own
