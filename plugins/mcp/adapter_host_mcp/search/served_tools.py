"""The tools that clients list and call: with search, `search_tools` and `call_tool` beside the pinned ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from adapter_host import (
    MOST_TOOL_TOKENS,
    Arguments,
    BuildContext,
    Input,
    Result,
    estimate_tokens,
    tool_definition_text,
)
from adapter_host_mcp.config import McpConfig, McpToolSpec
from adapter_host_mcp.features.own_tools import check_arguments, own_tool
from adapter_host_mcp.features.tools import Tool

from .groups import NO_GROUPS, Groups
from .tool_search import CALL_INPUTS, MOST_RESULTS, ToolSearch, found_tool

SEARCH_TOOLS: Final = "search_tools"
CALL_TOOL: Final = "call_tool"
RESERVED_NAMES: Final = (SEARCH_TOOLS, CALL_TOOL)

LONGEST_QUERY: Final = 1000
"""Characters of a query."""

_NONE_FOUND: Final = "no tool matches; use other words, or a group"


@dataclass(frozen=True, slots=True)
class ServedTools:
    """The tools that clients can call, and those that they list, by name; `search` is None without search."""

    callable: Mapping[str, Tool]
    listed: Mapping[str, Tool]
    search: ToolSearch | None = None

    def prepare(self) -> None:
        """Build the index of the search, and the checks of results with selected fields."""
        if self.search is not None:
            self.search.prepare()
        for tool in self.callable.values():
            if tool.selection is not None:
                _ = tool.find_violation


def check_discovery(config: McpConfig, tools: Mapping[str, Tool], context: BuildContext) -> None:
    """Report tools with the names of those for search, and warn about pins that have no effect."""
    if config.x_discovery == "all":
        for spec in config.tools:
            if spec.x_pinned:
                message = "'x-pinned' is ignored without 'x-discovery: search' or 'auto'; all tools are listed"
                context.warn(message, spec, "x-pinned", code="ignored")
        return
    for name in RESERVED_NAMES:
        if name in tools:
            message = f"'{name}' is the name of a tool of 'x-discovery: {config.x_discovery}'; rename this one"
            context.problem(message, tools[name].operation.spec, "name", code="reserved-name")


def serve_tools(
    config: McpConfig,
    tools: Mapping[str, Tool],
    always_listed: Mapping[str, Tool],
    context: BuildContext,
    groups: Groups = NO_GROUPS,
) -> ServedTools:
    """Return the tools that clients list and call; those of `always_listed` are not searched.

    `groups` are added to those of the search.
    """
    if not tools or not _uses_search(config, tools):
        all_tools = {**tools, **always_listed} if always_listed else tools
        return ServedTools(all_tools, all_tools)
    search = ToolSearch(tools, context.loaded.capability, config.namespace, groups)
    added = {**{tool.name: tool for tool in (_search_tools(search), _call_tool(search))}, **always_listed}
    pinned = {name: tool for name, tool in tools.items() if _is_pinned(tool)}
    return ServedTools({**tools, **added}, {**added, **pinned}, search)


def _uses_search(config: McpConfig, tools: Mapping[str, Tool]) -> bool:
    if config.x_discovery != "auto":
        return config.x_discovery == "search"
    texts = (tool_definition_text(tool.name, tool.description, tool.input_schema) for tool in tools.values())
    return sum(map(estimate_tokens, texts)) > MOST_TOOL_TOKENS


def _is_pinned(tool: Tool) -> bool:
    return isinstance(tool.operation.spec, McpToolSpec) and tool.operation.spec.x_pinned


def _search_tools(search: ToolSearch) -> Tool:
    groups = search.group_text()
    description = (
        f"Find tools of this server, which has {len(search.tools)} tools and lists only some. Returns the names, "
        f"descriptions and input schemas of the {MOST_RESULTS} that match best; call one by `{CALL_TOOL}`."
    )
    inputs = (
        Input("query", "string", True, "What the tool should do, in a few words", max_length=LONGEST_QUERY),
        Input("group", "string", False, f"Search in one group only{f': {groups}' if groups else ''}"),
    )

    async def find(arguments: Arguments) -> Result:
        check_arguments(arguments, inputs)
        found = search.find(arguments["query"], arguments.get("group"))
        data: dict[str, Any] = {"tools": [found_tool(tool) for tool in found]}
        return Result(data=data if found else {**data, "hint": _NONE_FOUND})

    annotations = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}
    return own_tool(_model(search), SEARCH_TOOLS, description, inputs, find, annotations)


def _call_tool(search: ToolSearch) -> Tool:
    description = f"Call a tool that `{SEARCH_TOOLS}` has found. The result is that of the tool."

    async def call(arguments: Arguments) -> Result:
        tool, passed = search.redirect(arguments)
        return await tool.operation.call(tool.arguments(passed, {}))

    tool = own_tool(_model(search), CALL_TOOL, description, CALL_INPUTS, call, _shared_hints(search.tools))
    return replace(tool, router=search)


def _model(search: ToolSearch) -> Tool:
    return next(iter(search.tools.values()))


def _shared_hints(tools: Mapping[str, Tool]) -> dict[str, bool]:
    """Return the hints that are true of every tool: clients may ask before each call that changes something."""
    hints = [tool.annotations for tool in tools.values()]
    is_read_only = all(hint.get("readOnlyHint") is True for hint in hints)
    is_harmless = all(hint.get("readOnlyHint") is True or hint.get("destructiveHint") is False for hint in hints)
    return {"readOnlyHint": is_read_only, "destructiveHint": not is_harmless}
