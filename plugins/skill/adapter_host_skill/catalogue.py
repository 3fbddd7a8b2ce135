"""Compiles skills: checks their tools against the exposers of the document and the files in their folders."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapter_host import BuildContext, ExposerConfig, Location, OperationSpec, did_you_mean

from .config import SkillConfig, SkillSpec, SkillToolSpec, SourceSpec

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""Names of skills are used in paths and in file names of archives."""

_SOURCE_TYPES: Final = ("rest", "mcp")
_MAX_LISTED: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Skill:
    """One skill: its description, and the folder of its files."""

    spec: SkillSpec
    description: Mapping[str, Any]
    location: Location | None

    @property
    def name(self) -> str:
        """Return the name."""
        return self.spec.name

    @property
    def summary(self) -> dict[str, Any]:
        """Return the entry for the list of skills."""
        members = {key: self.description[key] for key in ("name", "description", "license") if key in self.description}
        return {**members, "tools": [tool["name"] for tool in self.tools]}

    @property
    def tools(self) -> list[dict[str, Any]]:
        """Return the descriptions of the tools."""
        tools: list[dict[str, Any]] = self.description["tools"]
        return tools


def compile_skills(config: SkillConfig, context: BuildContext) -> dict[str, Skill]:
    """Compile the skills, by name in document order; report invalid ones."""
    skills: dict[str, Skill] = {}
    exposers = {exposer.namespace: exposer for exposer in context.loaded.capability.exposes}
    for spec in config.skills:
        with context.section() as section:
            _check_name(spec, context)
            if spec.name in skills:
                context.problem(f"duplicate skill '{spec.name}'", spec, "name", code="duplicate-skill")
                continue
            location = _location(spec, context)
            tools = list(_ToolCompiler(spec, location, exposers, context).descriptions())
        if not section.skipped:
            skills[spec.name] = Skill(spec, _describe(spec, tools), location)
    return skills


def _check_name(spec: SkillSpec, context: BuildContext) -> None:
    if not _NAME.fullmatch(spec.name):
        message = f"invalid skill name {spec.name!r}; use letters, digits, '-', '_' and '.'"
        context.problem(message, spec, "name")


def _location(spec: SkillSpec, context: BuildContext) -> Location | None:
    if spec.location is None:
        return None
    location = context.location(spec.location, spec, "location")
    if location is None or location.is_folder():
        return location
    if location.exists():
        message = f"'location' {spec.location!r} is a file; set it to the skill's folder"
        context.problem(message, spec, "location")
    else:
        message = f"'location' {spec.location!r} does not exist yet"
        context.warn(message, spec, "location", code="missing-file")
    return location


def _describe(spec: SkillSpec, tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    members = {
        "name": spec.name,
        "description": spec.description,
        "license": spec.license,
        "compatibility": spec.compatibility,
        "argument-hint": spec.argument_hint,
        "allowed-tools": spec.allowed_tools,
        "user-invocable": spec.user_invocable,
        "disable-model-invocation": spec.disable_model_invocation,
        "metadata": spec.metadata or None,
    }
    return {**{key: value for key, value in members.items() if value is not None}, "tools": list(tools)}


class _ToolCompiler:
    """Compiles the tools of one skill."""

    def __init__(
        self,
        skill: SkillSpec,
        location: Location | None,
        exposers: Mapping[str, ExposerConfig],
        context: BuildContext,
    ) -> None:
        self._skill = skill
        self._location = location
        self._exposers = exposers
        self._context = context

    def descriptions(self) -> Iterator[dict[str, Any]]:
        """Yield the descriptions of the tools; report invalid ones."""
        names = set()
        for tool in self._skill.tools:
            name = tool.name or (tool.from_.action if tool.from_ else None)
            with self._context.section() as section:
                if name in names:
                    message = f"duplicate tool '{name}' in skill '{self._skill.name}'"
                    self._context.problem(message, tool, "name", code="duplicate-tool")
                description = self._describe(tool, name)
            if name is not None:
                names.add(name)
            if description is not None and not section.skipped:
                yield description

    def _describe(self, tool: SkillToolSpec, name: str | None) -> dict[str, Any] | None:
        target = self._describe_target(tool)
        if target is None:
            return None
        text = self._description(tool, tool.from_) if tool.from_ else tool.description
        members = {"name": name, "description": text}
        missing = [key for key, value in members.items() if value is None]
        for key in missing:
            reason = f"; '{tool.from_.action}' has none either" if tool.from_ and key == "description" else ""
            self._context.problem(f"'{key}' is missing{reason}", tool, code="missing-key")
        return None if missing else {**members, **target}

    def _description(self, tool: SkillToolSpec, source: SourceSpec) -> str | None:
        """Return the declared description, or else the only one of the source."""
        if tool.description is not None:
            return tool.description
        operations = self._exposers[source.source_namespace].named_operations()
        specs = [spec for name, spec in operations if name == source.action]
        found = {text for spec in specs if (text := spec.description or spec.label or self._function_text(spec))}
        return found.pop() if len(found) == 1 else None

    def _function_text(self, spec: OperationSpec) -> str | None:
        functions = {
            f"{aggregate.namespace}.{function.name}": function
            for aggregate in self._context.loaded.capability.aggregates
            for function in aggregate.functions
        }
        function = functions.get(spec.ref or "")
        return function.description if function else None

    def _describe_target(self, tool: SkillToolSpec) -> dict[str, Any] | None:
        if (tool.from_ is None) == (tool.instruction is None):
            error = "are missing; set one of them" if tool.from_ is None else "are mutually exclusive"
            self._context.problem(f"'from' and 'instruction' {error}", tool, code="modes")
            return None
        if tool.from_ is not None:
            return self._describe_derived(tool.from_)
        return self._describe_instruction(tool, tool.instruction or "")

    def _describe_derived(self, source: SourceSpec) -> dict[str, Any] | None:
        exposer = self._exposers.get(source.source_namespace)
        if exposer is None or exposer.type not in _SOURCE_TYPES:
            message = self._unknown_source(source, exposer)
            self._context.problem(message, source, "sourceNamespace", code="unknown-namespace")
            return None
        names = exposer.operation_names()
        if source.action not in names:
            self._context.problem(_unknown_action(source, exposer, names), source, "action", code="unknown-action")
            return None
        reference = {"targetNamespace": exposer.namespace, "action": source.action, "mode": exposer.type}
        return {"type": "derived", "invocationRef": reference}

    def _unknown_source(self, source: SourceSpec, exposer: ExposerConfig | None) -> str:
        name = source.source_namespace
        namespaces = [other.namespace for other in self._exposers.values() if other.type in _SOURCE_TYPES]
        known = ", ".join(namespaces) or "none"
        if exposer is not None:
            return f"'{name}' is of type '{exposer.type}'; a tool needs an exposer of type rest or mcp (known: {known})"
        hint = did_you_mean(name, namespaces) or f" (known: {known})"
        return f"unknown exposer '{name}' of type rest or mcp{hint}"

    def _describe_instruction(self, tool: SkillToolSpec, path: str) -> dict[str, Any] | None:
        if self._skill.location is None:
            message = f"'instruction' needs a 'location'; skill '{self._skill.name}' has none"
            self._context.problem(message, tool, "instruction", code="missing-key")
            return None
        if self._location is not None and not self._location.has(path):
            files = [file.path for file in self._location.files()]
            message = f"file '{path}' not found in the skill's 'location'"
            hint = did_you_mean(path, files) or f" (files: {_list_names(files)})"
            self._context.problem(f"{message}{hint}", tool, "instruction", code="missing-file")
        return {"type": "instruction", "instruction": path}


def _unknown_action(source: SourceSpec, exposer: ExposerConfig, names: Sequence[str]) -> str:
    target = "tool" if exposer.type == "mcp" else "operation"
    hint = did_you_mean(source.action, names) or f" (known: {_list_names(names)})"
    return f"'{exposer.namespace}' has no {target} '{source.action}'{hint}"


def _list_names(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > _MAX_LISTED else ""
    return f"{', '.join(names[:_MAX_LISTED])}{more}" if names else "none"
