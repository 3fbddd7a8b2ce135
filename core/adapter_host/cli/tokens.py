"""The cost of tools' definitions for a model, in tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from adapter_host.compiler.plan import Plan
from adapter_host.document.messages import count_noun
from adapter_host.errors import Problem
from adapter_host.plugin.exposer import CatalogEntry, Exposer
from adapter_host.plugin.tool_tokens import (
    CHARACTERS_PER_TOKEN,
    MOST_TOOL_TOKENS,
    entry_definition_text,
    estimate_tokens,
    json_text,
)

from .output.exposer_views import catalog_of, safe_catalog
from .output.table import table

_ENCODING: Final = "o200k_base"
_LISTED_PARTS: Final = 3
_LONGEST_NAME: Final = 40

Count = Callable[[str], int]
"""Returns the number of tokens of a text."""


def find_tokenizer() -> tuple[Count, str]:
    """Return the best way to count that is available, and its name."""
    approximate = f"characters / {CHARACTERS_PER_TOKEN}"
    if find_spec("tiktoken") is None:
        return estimate_tokens, approximate
    try:
        encoding = import_module("tiktoken").get_encoding(_ENCODING)
    except (OSError, ValueError) as error:  # tiktoken fetches an encoding on its first use
        return estimate_tokens, f"{approximate}, because tiktoken cannot load {_ENCODING}: {type(error).__name__}"
    return lambda text: len(encoding.encode(text, disallowed_special=())), f"tiktoken, {_ENCODING}"


@dataclass(frozen=True, slots=True)
class ToolCost:
    """The tokens of one tool's definition, and of its parts."""

    exposer: str
    tool: str
    tokens: int
    parts: Mapping[str, int] = field(default_factory=dict)

    @property
    def largest(self) -> list[tuple[str, int]]:
        """The largest parts, in their order."""
        return sorted(self.parts.items(), key=lambda part: -part[1])[:_LISTED_PARTS]


def tool_costs(
    plans: Iterable[Plan], count: Count, catalog: Callable[[Exposer[Any]], Iterable[CatalogEntry] | None] = catalog_of
) -> list[ToolCost]:
    """Return the cost of each tool that clients list, the most expensive first."""
    costs = [
        _cost(exposer_plan.exposer.config.namespace, entry, count)
        for plan in plans
        for exposer_plan in plan.exposers
        for entry in catalog(exposer_plan.exposer) or ()
        if "inputSchema" in entry.details and entry.details.get("listed", True)
    ]
    return sorted(costs, key=lambda cost: (-cost.tokens, cost.tool))


def _cost(exposer: str, entry: CatalogEntry, count: Count) -> ToolCost:
    schema = entry.details["inputSchema"]
    description = entry.details.get("description") or ""
    properties = schema.get("properties", {})
    parts = {"description": count(description)} if description else {}
    parts |= {name: count(f'"{name}":{json_text(child)}') for name, child in properties.items()}
    return ToolCost(exposer, entry.title, count(entry_definition_text(entry)), parts)


def tokens_report(costs: Sequence[ToolCost], tokenizer: str) -> dict[str, Any]:
    """Return the costs as plain data."""
    tools = [
        {"tool": cost.tool, "exposer": cost.exposer, "tokens": cost.tokens, "parts": dict(cost.largest)}
        for cost in costs
    ]
    return {"tokenizer": tokenizer, "tokens": sum(cost.tokens for cost in costs), "tools": tools}


def tokens_lines(costs: Sequence[ToolCost], tokenizer: str) -> Iterator[str]:
    """Yield the costs as lines: a table, and the total."""
    if costs:
        head = ("tokens", "tool", "exposer", "largest parts")
        rows = [(f"{cost.tokens:,}", cost.tool, cost.exposer, _part_list(cost)) for cost in costs]
        yield from table(head, rows).splitlines()
    total = sum(cost.tokens for cost in costs)
    yield f"{total:,} tokens in {count_noun(len(costs), 'tool')} (counted with: {tokenizer})"


def _part_list(cost: ToolCost) -> str:
    return ", ".join(f"{name[:_LONGEST_NAME]} {tokens:,}" for name, tokens in cost.largest)


def expensive_exposers(plans: Iterable[Plan]) -> Iterator[Problem]:
    """Yield a warning for each exposer whose tools cost a model more than `MOST_TOOL_TOKENS`, by their characters."""
    for plan in plans:
        costs: dict[str, list[int]] = {}
        for cost in tool_costs([plan], estimate_tokens, safe_catalog):
            costs.setdefault(cost.exposer, []).append(cost.tokens)
        for exposer, tokens in costs.items():
            if (total := sum(tokens)) > MOST_TOOL_TOKENS:
                file = plan.loaded.source.file
                message = (
                    f"'{exposer}' has {count_noun(len(tokens), 'tool')}, which cost a model about {total:,} tokens in "
                    "every conversation; expose fewer, let models search for them ('x-discovery: auto'), or shorten "
                    f"the largest, which `adapter-host inspect --tokens {file}` shows"
                )
                yield Problem(message, file, code="expensive-tools", warning=True)
