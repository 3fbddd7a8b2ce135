"""Search over the tools of an exposer: the best for a query, and the one that a call of `call_tool` names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from adapter_host import (
    ArgumentError,
    Arguments,
    Capability,
    Input,
    NotFoundError,
    did_you_mean,
    parse_json,
)
from adapter_host_mcp.features.own_tools import check_arguments
from adapter_host_mcp.features.tools import Tool

from .documents import tool_texts
from .groups import NO_GROUPS, Groups, tool_groups
from .index import Index

MOST_RESULTS: Final = 5
"""Tools in the result of a search."""

CALL_INPUTS: Final = (
    Input("name", "string", True, "The name of the tool"),
    Input("arguments", "object", False, "The arguments of the tool, as its input schema describes them"),
)
"""The inputs of `call_tool`."""

_GROUP_TEXT: Final = 1200
"""Characters of the description that name groups."""

_NEAR_NAMES: Final = 3
_LONGEST_NAME: Final = 128


class ToolSearch:
    """Finds tools by words. The index is built on first use; `prepare` builds it before."""

    def __init__(
        self, tools: Mapping[str, Tool], capability: Capability, namespace: str, groups: Groups = NO_GROUPS
    ) -> None:
        self.tools = tools
        self._capability = capability
        self._namespace = namespace
        self._more_groups = groups
        self._converts_texts = any(tool.converts_texts for tool in tools.values())
        self._by_number = list(tools.values())
        self._numbers = {name: number for number, name in enumerate(tools)}

    @cached_property
    def groups(self) -> Groups:
        """The names of tools by group, the largest group first."""
        return tool_groups(self.tools.values(), self._capability, self._namespace, self._more_groups)

    @cached_property
    def _index(self) -> Index:
        groups_of: dict[str, list[str]] = {}
        for group, names in self.groups.items():
            for name in names:
                groups_of.setdefault(name, []).append(group)
        return Index([tool_texts(tool, groups_of.get(tool.name, ())) for tool in self.tools.values()])

    def prepare(self) -> None:
        """Build the index."""
        _ = self._index

    def find(self, query: str, group: str | None = None) -> list[Tool]:
        """Return the best tools, first one that has the query as its name; raise `ArgumentError` for a group."""
        allowed = None if group is None else {self._numbers[name] for name in self._group(group)}
        found = [self._by_number[number] for number in self._index.search(query, MOST_RESULTS, allowed)]
        exact = self._numbers.get(query.strip())
        if exact is not None and (allowed is None or exact in allowed):
            first = self._by_number[exact]
            found = [first, *(tool for tool in found if tool is not first)][:MOST_RESULTS]
        return found

    def _group(self, group: str) -> Sequence[str]:
        by_folded = {name.casefold(): names for name, names in self.groups.items()}
        names = by_folded.get(group.strip().casefold())
        if names is None:
            shown = group[:_LONGEST_NAME]
            hint = did_you_mean(shown, self.groups) or f"; the groups are: {self.group_text() or 'none'}"
            raise ArgumentError("group", f"unknown group '{shown}'{hint}")
        return names

    def group_text(self) -> str:
        """Return the groups of two tools or more with their sizes, of equal ones the first, as far as there is room."""
        text, seen = "", set()
        for name, names in self.groups.items():
            entry = f"{', ' if text else ''}{name} ({len(names)})"
            if len(names) < 2 or tuple(names) in seen:
                continue
            if len(text) + len(entry) > _GROUP_TEXT:
                return f"{text}, and others"
            seen.add(tuple(names))
            text += entry
        return text

    def redirect(self, arguments: Arguments) -> tuple[Tool, Arguments]:
        """Return the tool that a call of `call_tool` names, and its arguments; raise `OperationError`."""
        passed = arguments.get("arguments")
        if isinstance(passed, str) and self._converts_texts:
            arguments = {**arguments, "arguments": _parse_object(passed)}
        check_arguments(arguments, CALL_INPUTS)
        name = arguments["name"]
        if (tool := self.tools.get(name)) is None:
            raise NotFoundError(f"unknown tool '{name[:_LONGEST_NAME]}'{self.near_names(name)}")
        return tool, arguments.get("arguments", {})

    def near_names(self, name: str) -> str:
        """Return ``; similar tools: 'a', 'b'`` for the name of no tool, or an empty string if none is similar."""
        shown = name[:_LONGEST_NAME]
        similar = ", ".join(f"'{tool.name}'" for tool in self.find(shown)[:_NEAR_NAMES])
        return f"; similar tools: {similar}" if similar else did_you_mean(shown, self.tools)


def found_tool(tool: Tool) -> dict[str, Any]:
    """Return a tool as results of a search have it: what a model needs to call it."""
    definition = tool.definition(allow_any_json=True)
    keys = ("name", "title", "description", "inputSchema", "annotations")
    return {key: definition[key] for key in keys if key in definition}


def _parse_object(text: str) -> Any:
    try:
        return parse_json(text.encode())
    except ValueError:
        return text
