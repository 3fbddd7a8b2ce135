"""Groups of tools: by tags, by the resources and paths of the consumed API, and by the skills of the document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from adapter_host import Capability
from adapter_host_mcp.features.tools import Tool

Groups = Mapping[str, Sequence[str]]
"""The names of tools by group."""

NO_GROUPS: Final[Groups] = MappingProxyType({})

Prefix = tuple[str, ...]


def tool_groups(tools: Iterable[Tool], capability: Capability, namespace: str, more: Groups = NO_GROUPS) -> Groups:
    """Return the groups of the exposer in `namespace` with `more` groups, the largest first."""
    listed = list(tools)
    prefixes = Counter(prefix for tool in listed for prefix in _prefixes(tool))
    groups: dict[str, dict[str, None]] = {}
    for tool in listed:
        for group in _groups_of(tool, prefixes, len(listed)):
            groups.setdefault(group, {})[tool.name] = None
    known = {tool.name for tool in listed}
    for group, names in (*more.items(), *skill_groups(capability, namespace)):
        if members := dict.fromkeys(name for name in names if name in known):
            groups.setdefault(group, {}).update(members)
    return {name: list(members) for name, members in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))}


def _groups_of(tool: Tool, prefixes: Mapping[Prefix, int], count: int) -> Iterator[str]:
    yield from tool.operation.spec.tags
    for upstream in tool.operation.upstream:
        # Importers name resources by their paths, of which the prefix says enough.
        if upstream.resource is not None and _letters(upstream.resource) != _letters(upstream.path or ""):
            yield upstream.resource
    # `/api/v1` of most paths says nothing about a tool.
    if section := next((prefix for prefix in _prefixes(tool) if prefixes[prefix] * 2 <= count), None):
        yield section[-1]


def _prefixes(tool: Tool) -> Iterator[Prefix]:
    """Yield the prefixes of the path of a tool without variables, the shortest first."""
    paths = (upstream.path for upstream in tool.operation.upstream)
    path = next((path for path in paths if path is not None), "")
    segments = [each for each in path.split("/") if each and "{" not in each]
    return (tuple(segments[:length]) for length in range(1, len(segments) + 1))


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def skill_groups(capability: Capability, namespace: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the skills of the document with the tools of the exposer that they refer to."""
    for exposer in capability.exposes:
        for skill in getattr(exposer, "skills", ()):
            sources = [source for tool in skill.tools if (source := tool.from_) is not None]
            yield skill.name, [source.action for source in sources if source.source_namespace == namespace]
