"""The catalog of an exposer for `inspect`: its tools, resources and prompts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from adapter_host import CatalogEntry

from .features.prompts import Prompt
from .features.resources import Resource
from .features.tools import Tool
from .search.served_tools import ServedTools


def catalog_entries(
    served: ServedTools, resources: Iterable[Resource], prompts: Iterable[Prompt]
) -> Iterator[CatalogEntry]:
    """Yield the entries of all tools, resources and prompts."""
    for tool in {**served.listed, **served.callable}.values():
        listed = {} if tool.name in served.listed else {"listed": False}
        yield tool_entry(tool, listed)
    for resource in resources:
        details = {"mimeType": resource.mime_type} if resource.mime_type else {}
        yield CatalogEntry(f"resource {resource.uri.text}", resource.operation, details)
    for prompt in prompts:
        yield CatalogEntry(f"prompt {prompt.name}", prompt.operation)


def tool_entry(tool: Tool, details: dict[str, Any] | None = None) -> CatalogEntry:
    """Return the entry of a tool, with parts of its definition, and further details."""
    definition = tool.definition(allow_any_json=True)
    keys = ["description", "inputSchema", "annotations"]
    if tool.operation.result_schema is not None:
        keys.append("outputSchema")
    shown = {key: definition[key] for key in keys if key in definition}
    budget = {"budget": tool.budget.label} if tool.budget is not None and tool.budget.label else {}
    select = {} if tool.selection is None else {"select": tool.selection.describe()}
    return CatalogEntry(tool.name, tool.operation, {**shown, **budget, **select, **(details or {})})
