"""Building blocks to rewrite a document's nodes; unchanged nodes are reused, positions are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapter_host.document.messages import describe_type, format_value
from adapter_host.document.nodes import MappingNode, Node, Position, SequenceNode
from adapter_host.errors import Problem

from .versions import Dialect


class RewriteContext:
    """The document's version, and the problems found while rewriting."""

    def __init__(self, root: Node, dialect: Dialect) -> None:
        self.dialect = dialect
        self._root = root
        self._problems: list[Problem] = []
        self._outdated: dict[tuple[str, str], list[tuple[Node, Position]]] = {}

    def report(
        self, node: Node, message: str, code: str, *, key_position: Position | None = None, warning: bool = False
    ) -> None:
        """Report a problem at a node, or at the position of its key."""
        position = key_position or node.position
        path = "" if position[1] else _path_prefix(self._root, node)
        self._problems.append(Problem(f"{path}{message}", *position, code=code, warning=warning))

    def report_outdated(self, node: Node, key_position: Position | None, was: str, now: str, since: str) -> bool:
        """Return True, and warn, if the document's version no longer has this form."""
        if not self.dialect.is_at_least(since):
            return False
        self._outdated.setdefault((was, f"{now} since {since}"), []).append((node, key_position or node.position))
        return True

    def problems(self) -> list[Problem]:
        """Return the problems; an outdated form that is used several times is reported once."""
        for (was, now), found in self._outdated.items():
            times = f" ({len(found)} times)" if len(found) > 1 else ""
            self.report(found[0][0], f"{was} is {now}{times}", "outdated", key_position=found[0][1], warning=True)
        return self._problems


def _path_prefix(root: Node, node: Node) -> str:
    """Return the keys of a node for a message about data without lines."""
    pending: list[tuple[Node, str]] = [(root, "")]
    while pending:
        current, path = pending.pop()
        if current is node:
            return path and f"{path[1:]}: "
        if isinstance(current, MappingNode):
            pending += [(child, f"{path}.{name}") for name, child in current.entries.items()]
        elif isinstance(current, SequenceNode):
            pending += [(child, f"{path}.{index}") for index, child in enumerate(current.items)]
    return ""


Rewrite = Callable[[Node, RewriteContext], Node]
"""Function from a node to its replacement: the node itself if it has the right form already."""


@dataclass(frozen=True, slots=True)
class KeyRule:
    """How a key is rewritten: its new name and its value; `now` and `since` name the key that replaced it."""

    name: str
    value: Rewrite | None = None
    now: str = ""
    since: str = ""


@dataclass(slots=True)
class _Changes:
    """The changes to one mapping."""

    values: dict[str, Node] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    outdated: set[str] = field(default_factory=set)


def unchanged(node: Node, context: RewriteContext) -> Node:
    """Return the node as it is."""
    return node


def renamed_key(name: str, *aliases: str, value: Rewrite | None = None) -> dict[str, KeyRule]:
    """Return rules that rename all aliases of a key to `name`."""
    return {key: KeyRule(name, value) for key in (name, *aliases)}


def outdated_key(was: str, name: str, now: str, since: str, value: Rewrite | None = None) -> dict[str, KeyRule]:
    """Return the rule of a key that is called `now` since a version, and `name` after rewriting."""
    return {was: KeyRule(name, value, now, since)}


def same_keys(values: Mapping[str, Rewrite]) -> dict[str, KeyRule]:
    """Return rules for the values of keys that keep their names."""
    return {name: KeyRule(name, value) for name, value in values.items()}


def rewrite_mapping(keys: Mapping[str, KeyRule], rest: Rewrite | None = None) -> Rewrite:
    """Return a rewrite of a mapping by rules for its keys, and by `rest` for all other values."""
    other = None if rest is None else KeyRule("", rest)

    def rewrite(node: Node, context: RewriteContext) -> Node:
        if not isinstance(node, MappingNode) or (other is None and keys.keys().isdisjoint(node.entries)):
            return node
        changes = None
        for name, child in node.entries.items():
            key = keys.get(name, other)
            if key is None:
                continue
            if key.since and context.report_outdated(
                child, node.key_position(name), f"'{name}'", f"called '{key.now}'", key.since
            ):
                changes = changes or _Changes()
                changes.outdated.add(name)
            new = child if key.value is None else key.value(child, context)
            if new is not child or (key.name and key.name != name):
                changes = changes or _Changes()
                changes.values[name] = new
                changes.names[name] = key.name or name
        return _apply_changes(node, changes, context) if changes and changes.values else node

    return rewrite


def _apply_changes(node: MappingNode, changes: _Changes, context: RewriteContext) -> MappingNode:
    sources: dict[str, str] = {}
    for name in node.entries:
        new = changes.names.get(name, name)
        first = sources.setdefault(new, name)
        if first == name:
            continue
        # Of two names of one key, the one of the document's own version wins.
        kept, ignored = (name, first) if first in changes.outdated else (first, name)
        sources[new] = kept
        message = f"'{ignored}' is ignored: '{kept}' is also set and means the same"
        context.report(node.entries[ignored], message, "ignored", key_position=node.key_position(ignored), warning=True)
    entries = {new: changes.values.get(name, node.entries[name]) for new, name in sources.items()}
    return mapping_like(node, entries, {new: node.keys[name] for new, name in sources.items()})


def mapping_like(node: Node, entries: Mapping[str, Node], keys: Mapping[str, tuple[int, int]]) -> MappingNode:
    """Return a mapping at the position of `node`."""
    data = {name: child.value for name, child in entries.items()}
    return MappingNode(data, node.file, node.line, node.column, dict(entries), dict(keys))


def for_items(item: Rewrite) -> Rewrite:
    """Return a rewrite of a list by a rewrite of its items."""

    def rewrite(node: Node, context: RewriteContext) -> Node:
        if not isinstance(node, SequenceNode):
            return node
        items = [item(child, context) for child in node.items]
        if all(new is old for new, old in zip(items, node.items, strict=True)):
            return node
        return sequence_like(node, items)

    return rewrite


def for_values(item: Rewrite) -> Rewrite:
    """Return a rewrite of a mapping by a rewrite of its values."""
    return rewrite_mapping({}, rest=item)


def named_list(item: Rewrite = unchanged, key: str = "name") -> Rewrite:
    """Return a rewrite of named entries to a list; a mapping from names becomes a list of mappings with names."""
    rewrite_list = for_items(item)

    def rewrite(node: Node, context: RewriteContext) -> Node:
        if not isinstance(node, MappingNode):
            return node if item is unchanged else rewrite_list(node, context)
        entries = (_named_entry(node, name, key, context) for name in node.entries)
        return sequence_like(node, [item(entry, context) for entry in entries if entry is not None])

    return rewrite


def _named_entry(node: MappingNode, name: str, key: str, context: RewriteContext) -> MappingNode | None:
    """Return the entry as a mapping with its name, at the position of its key."""
    child, key_position = node.entries[name], node.keys[name]
    if child.value is not None and not isinstance(child, MappingNode):
        context.report(child, f"{format_value(name)} must be a mapping, not {describe_type(child.value)}", "type")
        return None
    own = child if isinstance(child, MappingNode) else None
    inner = own.entries.get(key) if own else None
    if inner is not None and str(inner.value) != name:
        found = format_value(inner.value)
        message = f"'{key}' is {found} here, but the entry's key is {format_value(name)}; remove it"
        context.report(inner, message, "name")
    label = Node(name, node.file, *key_position)
    above = Node(None, node.file, *key_position)
    entries = (
        {key: label, **{inner_key: own.entries[inner_key] for inner_key in own.entries if inner_key != key}}
        if own
        else {key: label}
    )
    return mapping_like(above, entries, {**own.keys, key: key_position} if own else {key: key_position})


def named_mapping(item: Rewrite) -> Rewrite:
    """Return a rewrite of named entries to a mapping; a list of mappings with names becomes a mapping from names."""
    values = for_values(item)

    def rewrite(node: Node, context: RewriteContext) -> Node:
        if isinstance(node, SequenceNode) and (names := [_name(child) for child in node.items]) and all(names):
            entries = {name: child for name, child in zip(names, node.items, strict=True) if name}
            if len(entries) == len(names):
                keys = {name: (child.line, child.column) for name, child in entries.items()}
                return values(mapping_like(node, entries, keys), context)
        return values(node, context)

    return rewrite


def _name(node: Node) -> str | None:
    name: Any = node.value.get("name") if isinstance(node, MappingNode) else None
    return name if isinstance(name, str) else None


def sequence_like(node: Node, items: Iterable[Node]) -> SequenceNode:
    """Return a list at the position of `node`."""
    children = list(items)
    return SequenceNode([child.value for child in children], node.file, node.line, node.column, children)
