"""Tools, resources and prompts of other exposers that an exposer serves beside its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, cast

from adapter_host import (
    BuildContext,
    Exposer,
    ForwardSpec,
    Included,
    Model,
    Operation,
    Origin,
    behavior_annotations,
    hints_of_annotations,
)

from .budget.results import NEXT_ITEMS
from .budget.setup import RESERVED_NAME, Budgets, adopt_budgets
from .config import McpConfig
from .features.declared_tools import operation_tool
from .features.prompts import Prompt
from .features.resources import Resource
from .features.tools import Tool
from .search.groups import skill_groups
from .search.served_tools import RESERVED_NAMES
from .tool_names import included_name, operation_names

_READS: Final = hints_of_annotations({"readOnlyHint": True, "idempotentHint": True})
"""The hints of resources and prompts."""


class IncludingExposer(Protocol):
    """An exposer with tools, resources and prompts."""

    config: McpConfig
    context: BuildContext
    tools: Mapping[str, Tool]
    resources: Sequence[Resource]
    prompts: Mapping[str, Prompt]


@dataclass(frozen=True, slots=True)
class Merged:
    """The entries of an exposer with those that it includes; `groups` of tools are for the search."""

    budgets: Budgets
    resources: Sequence[Resource]
    prompts: Mapping[str, Prompt]
    groups: Mapping[str, Sequence[str]]

    @property
    def included_operations(self) -> Iterator[Operation]:
        """Yield the operations of included tools and resources."""
        entries: Iterable[Tool | Resource] = (*self.budgets.tools.values(), *self.resources)
        return (entry.operation for entry in entries if entry.operation.origin is not None)


def merge(exposer: IncludingExposer, budgets: Budgets, included: Iterable[Included]) -> Merged:
    """Return the entries of an exposer with those of others, and report each name that two of them have."""
    merger = _Merger(exposer)
    for each in included:
        merger.add(each)
    adopted = adopt_budgets(exposer.config, merger.tools, budgets.held, exposer.context)
    if adopted.is_declared and NEXT_ITEMS in merger.tools:
        merger.report(merger.owners["tool", NEXT_ITEMS], RESERVED_NAME, "name", code="reserved-name")
    return Merged(adopted, tuple(merger.resources), merger.prompts, merger.groups)


class _Merger:
    """Adds the entries of other exposers to those of `exposer`; `owners` declare them, by their kinds and names."""

    def __init__(self, exposer: IncludingExposer) -> None:
        self._exposer = exposer
        self._is_portable = exposer.config.is_portable
        self.tools = dict(exposer.tools)
        self.resources = list(exposer.resources)
        self.prompts = dict(exposer.prompts)
        self.groups: dict[str, Sequence[str]] = {}
        self.owners = {(kind, name): _origin(exposer, operation, spec) for kind, name, operation, spec in _own(exposer)}

    def add(self, included: Included) -> None:
        """Add the entries of another exposer; one of another type has tools only."""
        names = {}
        for tool in self._tools_of(included.exposer):
            name = self._add_tool(included, tool)
            if name is not None:
                names[tool.name] = name
        if isinstance(included.exposer.config, McpConfig):
            other = cast(IncludingExposer, included.exposer)
            for resource in other.resources:
                self._add_resource(included, resource)
            for prompt in other.prompts.values():
                self._add_prompt(included, prompt)
        self._add_groups(included.exposer, names)

    def _tools_of(self, other: Exposer[Any]) -> Iterable[Tool]:
        if isinstance(other.config, McpConfig):
            return cast(IncludingExposer, other).tools.values()
        operations = [each for each in other.operations.values() if not isinstance(each.spec, ForwardSpec)]
        return (
            operation_tool(name, operation, behavior_annotations(operation), other.context, self._config)
            for operation, name in operation_names(operations, self._is_portable)
        )

    @property
    def _config(self) -> McpConfig:
        return self._exposer.config

    def _add_tool(self, included: Included, tool: Tool) -> str | None:
        """Add a tool; return its name, or None if it is left out."""
        spec, hints = tool.operation.spec, hints_of_annotations(tool.annotations)
        name = included_name(included.prefix, tool.name, self._is_portable)
        if not included.selection.accepts(tool.name, spec.tags, hints):
            return None
        if self._config.x_discovery != "all" and name in RESERVED_NAMES:
            message = f"'{name}' is the name of a tool of 'x-discovery'; rename this one"
            self.report(_origin(included.exposer, tool.operation, spec), message, "name", code="reserved-name")
            return None
        if self._claim("tool", name, _origin(included.exposer, tool.operation, spec)):
            operation, task = included.operation(tool.operation, name), tool.task
            if task is not None:
                cancel = None if task.cancel is None else included.operation(task.cancel, task.cancel.name)
                task = replace(task, poll=included.operation(task.poll, task.poll.name), cancel=cancel)
            is_portable = tool.is_portable or self._is_portable
            self.tools[name] = replace(tool, name=name, operation=operation, task=task, is_portable=is_portable)
            return name
        return None

    def _add_resource(self, included: Included, resource: Resource) -> None:
        operation, spec, uri = resource.operation, resource.spec, resource.uri.text
        if included.selection.accepts(resource.name, operation.spec.tags, _READS) and self._claim(
            "resource", uri, _origin(included.exposer, operation, spec)
        ):
            operation = included.operation(operation, operation.name, spec=spec)
            self.resources.append(replace(resource, operation=operation))

    def _add_prompt(self, included: Included, prompt: Prompt) -> None:
        operation, spec = prompt.operation, prompt.spec
        name = included_name(included.prefix, prompt.name, self._is_portable)
        if included.selection.accepts(prompt.name, (), _READS) and self._claim(
            "prompt", name, _origin(included.exposer, operation, spec)
        ):
            operation = included.operation(operation, name, spec=spec)
            self.prompts[name] = replace(prompt, name=name, operation=operation)

    def _claim(self, kind: str, name: str, origin: Origin) -> bool:
        """Return whether a name is free; report a problem if another entry has it."""
        owner = self.owners.setdefault((kind, name), origin)
        if owner is origin:
            return True
        if owner.spec is not origin.spec:  # otherwise it is included twice
            own, key = self._config.namespace, "uri" if kind == "resource" else "name"
            message = f"'{own}' already has the {kind} '{name}', of {owner.place(key)}; rename one, or leave one out"
            self.report(origin, message, key, code="name-clash")
        return False

    def report(self, origin: Origin, message: str, *keys: str, code: str) -> None:
        """Report a problem at the place of an entry."""
        with self._exposer.context.section():
            self._exposer.context.loaded.diagnostics.add(origin.problem(message, *keys, code=code))

    def _add_groups(self, other: Exposer[Any], names: Mapping[str, str]) -> None:
        """Add the tools of an exposer as a group, and the groups of skills that refer to them."""
        namespace = other.config.namespace
        for group, members in ((namespace, tuple(names)), *skill_groups(other.context.loaded.capability, namespace)):
            renamed = [names[name] for name in members if name in names]
            self.groups[group] = (*self.groups.get(group, ()), *renamed)


def _own(exposer: IncludingExposer) -> Iterator[tuple[str, str, Operation, Model]]:
    """Yield the kind and name of each entry of an exposer, its operation, and its declaration."""
    for tool in exposer.tools.values():
        yield "tool", tool.name, tool.operation, tool.operation.spec
    for resource in exposer.resources:
        yield "resource", resource.uri.text, resource.operation, resource.spec
    for prompt in exposer.prompts.values():
        yield "prompt", prompt.name, prompt.operation, prompt.spec


def _origin(exposer: IncludingExposer | Exposer[Any], operation: Operation, spec: Model) -> Origin:
    context = exposer.context
    return operation.origin or Origin(context.site, context.loaded, spec, operation.name)
