"""Skills as the catalogue tells of them, checked against the exposers beside it and the files that they name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapter_host import BuildContext, ExposerConfig, Location, did_you_mean

from .config import SkillConfig, SkillSpec, SkillToolSpec, SourceSpec

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""A skill's name stands in paths and in the name of its archive."""

_MODES: Final = ("rest", "mcp")
_SHOWN: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Skill:
    """One skill: what its own page says, and the folder of its files."""

    spec: SkillSpec
    description: Mapping[str, Any]
    location: Location | None

    @property
    def name(self) -> str:
        """What callers know it by."""
        return self.spec.name

    @property
    def entry(self) -> dict[str, Any]:
        """What the list of skills says of it."""
        known = {key: self.description[key] for key in ("name", "description", "license") if key in self.description}
        return {**known, "tools": [tool.name for tool in self.spec.tools]}


def prepare_skills(config: SkillConfig, context: BuildContext) -> dict[str, Skill]:
    """The skills by name, in the document's order; what is wrong with them is a problem."""
    skills: dict[str, Skill] = {}
    siblings = {each.namespace: each for each in context.loaded.capability.exposes}
    for spec in config.skills:
        _check_name(spec, context)
        if spec.name in skills:
            context.problem(f"skill '{spec.name}' is declared twice", spec, "name", code="duplicate-skill")
            continue
        location = _location(spec, context)
        tools = list(_Tools(spec, location, siblings, context).described())
        skills[spec.name] = Skill(spec, _described(spec, tools), location)
    return skills


def _check_name(spec: SkillSpec, context: BuildContext) -> None:
    if not _NAME.fullmatch(spec.name):
        message = f"a skill's name has letters, digits, '-', '_' and '.' alone (given {spec.name!r})"
        context.problem(message, spec, "name")


def _location(spec: SkillSpec, context: BuildContext) -> Location | None:
    if spec.location is None:
        return None
    location = context.location(spec.location, spec, "location")
    if location is None or location.is_folder():
        return location
    if location.exists():
        message = f"'location' is the folder of the skill's files, and this is a file (given {spec.location!r})"
        context.problem(message, spec, "location")
    else:
        message = f"there is no folder at the skill's location yet (given {spec.location!r})"
        context.warn(message, spec, "location", code="missing-file")
    return location


def _described(spec: SkillSpec, tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
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


class _Tools:
    """The tools of one skill."""

    def __init__(
        self,
        skill: SkillSpec,
        location: Location | None,
        siblings: Mapping[str, ExposerConfig],
        context: BuildContext,
    ) -> None:
        self._skill = skill
        self._location = location
        self._siblings = siblings
        self._provision = context

    def described(self) -> Iterator[dict[str, Any]]:
        """What callers are told of each; what is wrong with one is a problem."""
        names = set()
        for tool in self._skill.tools:
            if tool.name in names:
                message = f"tool '{tool.name}' is declared twice in skill '{self._skill.name}'"
                self._provision.problem(message, tool, "name", code="duplicate-tool")
            names.add(tool.name)
            kind = self._kind(tool)
            if kind is not None:
                yield {"name": tool.name, "description": tool.description, **kind}

    def _kind(self, tool: SkillToolSpec) -> dict[str, Any] | None:
        if (tool.from_ is None) == (tool.instruction is None):
            has = "neither 'from' nor 'instruction'" if tool.from_ is None else "both 'from' and 'instruction'"
            self._provision.problem(f"the tool has {has} (it needs one of them)", tool, code="modes")
            return None
        return self._derived(tool.from_) if tool.from_ else self._instructed(tool, tool.instruction or "")

    def _derived(self, source: SourceSpec) -> dict[str, Any] | None:
        sibling = self._siblings.get(source.source_namespace)
        if sibling is None or sibling.type not in _MODES:
            self._provision.problem(
                self._no_source(source, sibling), source, "sourceNamespace", code="unknown-namespace"
            )
            return None
        names = sibling.operation_names()
        if source.action not in names:
            self._provision.problem(_no_action(source, sibling, names), source, "action", code="unknown-action")
            return None
        target = {"targetNamespace": sibling.namespace, "action": source.action, "mode": sibling.type}
        return {"type": "derived", "invocationRef": target}

    def _no_source(self, source: SourceSpec, sibling: ExposerConfig | None) -> str:
        given = source.source_namespace
        known = [name for name, each in self._siblings.items() if each.type in _MODES]
        there = f"there are: {', '.join(known)}" if known else "there is none beside it"
        if sibling is not None:
            return f"'{given}' is of type '{sibling.type}'; a tool comes of an exposer of type rest or mcp ({there})"
        return (
            f"no exposer of type rest or mcp has the namespace '{given}'{did_you_mean(given, known) or f' ({there})'}"
        )

    def _instructed(self, tool: SkillToolSpec, path: str) -> dict[str, Any] | None:
        if self._skill.location is None:
            message = f"'instruction' is a file in the skill's 'location', and skill '{self._skill.name}' has none"
            self._provision.problem(message, tool, "instruction", code="missing-key")
            return None
        if self._location is not None and not self._location.has(path):
            files = [file.path for file in self._location.files()]
            message = f"there is no file '{path}' to serve in the skill's location"
            hint = did_you_mean(path, files) or f" ({_listed(files)})"
            self._provision.problem(f"{message}{hint}", tool, "instruction", code="missing-file")
        return {"type": "instruction", "instruction": path}


def _no_action(source: SourceSpec, sibling: ExposerConfig, names: Sequence[str]) -> str:
    kind = "tool" if sibling.type == "mcp" else "operation"
    hint = did_you_mean(source.action, names) or f" ({_listed(names)})"
    return f"'{sibling.namespace}' has no {kind} '{source.action}'{hint}"


def _listed(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > _SHOWN else ""
    return f"there are: {', '.join(names[:_SHOWN])}{more}" if names else "there is none"
