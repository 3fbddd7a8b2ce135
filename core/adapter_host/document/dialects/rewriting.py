"""How a document's nodes are rewritten: what has the right form is left as it is, and everything keeps its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapter_host.document.messages import kind_of, shown
from adapter_host.document.nodes import MappingNode, Node, Position, SequenceNode
from adapter_host.errors import Problem

from .versions import Dialect


class Notes:
    """What is noted while one document is rewritten."""

    def __init__(self, root: Node, dialect: Dialect) -> None:
        self.dialect = dialect
        self._root = root
        self._problems: list[Problem] = []
        self._outdated: dict[tuple[str, str], list[tuple[Node, Position]]] = {}

    def problem(
        self, node: Node, message: str, code: str, *, at: Position | None = None, warning: bool = False
    ) -> None:
        """Note what is wrong with a node, or at the place of its key."""
        place = at or node.position
        path = "" if place[1] else _path(self._root, node)
        self._problems.append(Problem(f"{path}{message}", *place, code=code, warning=warning))

    def outdated(self, node: Node, at: Position | None, was: str, now: str, since: str) -> bool:
        """Whether the document's own version does not have a form any more; then that is noted."""
        if not self.dialect.reaches(since):
            return False
        self._outdated.setdefault((was, f"{now} since {since}"), []).append((node, at or node.position))
        return True

    def all(self) -> list[Problem]:
        """Return the problems; an outdated form that is used several times is reported once."""
        for (was, now), found in self._outdated.items():
            times = f" ({len(found)} times)" if len(found) > 1 else ""
            self.problem(found[0][0], f"{was} is {now}{times}", "outdated", at=found[0][1], warning=True)
        return self._problems


def _path(root: Node, node: Node) -> str:
    """Where a node of data that was never text stands, as messages begin with it."""
    left: list[tuple[Node, str]] = [(root, "")]
    while left:
        current, path = left.pop()
        if current is node:
            return path and f"{path[1:]}: "
        if isinstance(current, MappingNode):
            left += [(child, f"{path}.{name}") for name, child in current.entries.items()]
        elif isinstance(current, SequenceNode):
            left += [(child, f"{path}.{index}") for index, child in enumerate(current.items)]
    return ""


Rewrite = Callable[[Node, Notes], Node]
"""From a node to the one that takes its place: itself, where it has the right form already."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a key becomes: its name, and what is done with its value; `now` and `since` say which word followed it."""

    name: str
    value: Rewrite | None = None
    now: str = ""
    since: str = ""


@dataclass(slots=True)
class _Changes:
    """The values and names that the rewriting of one mapping changes."""

    values: dict[str, Node] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    outdated: set[str] = field(default_factory=set)


def same(node: Node, notes: Notes) -> Node:
    """Leave it as it is."""
    return node


def word(name: str, *others: str, value: Rewrite | None = None) -> dict[str, Key]:
    """Return a key that has other names in other versions, and is called `name` here."""
    return {each: Key(name, value) for each in (name, *others)}


def outdated(was: str, name: str, now: str, since: str, value: Rewrite | None = None) -> dict[str, Key]:
    """Return a key that is called `now` from a version on, and `name` here."""
    return {was: Key(name, value, now, since)}


def plain(values: Mapping[str, Rewrite]) -> dict[str, Key]:
    """Keys that keep their names."""
    return {name: Key(name, value) for name, value in values.items()}


def mapping(keys: Mapping[str, Key], rest: Rewrite | None = None) -> Rewrite:
    """Return a mapping whose keys become what `keys` say, and the values of all others what `rest` makes of them."""
    other = None if rest is None else Key("", rest)

    def rewrite(node: Node, notes: Notes) -> Node:
        if not isinstance(node, MappingNode) or (other is None and keys.keys().isdisjoint(node.entries)):
            return node
        changes = None
        for name, child in node.entries.items():
            key = keys.get(name, other)
            if key is None:
                continue
            if key.since and notes.outdated(
                child, node.key_position(name), f"'{name}'", f"called '{key.now}'", key.since
            ):
                changes = changes or _Changes()
                changes.outdated.add(name)
            new = child if key.value is None else key.value(child, notes)
            if new is not child or (key.name and key.name != name):
                changes = changes or _Changes()
                changes.values[name] = new
                changes.names[name] = key.name or name
        return _changed(node, changes, notes) if changes and changes.values else node

    return rewrite


def _changed(node: MappingNode, changes: _Changes, notes: Notes) -> MappingNode:
    sources: dict[str, str] = {}
    for name in node.entries:
        new = changes.names.get(name, name)
        first = sources.setdefault(new, name)
        if first == name:
            continue
        # Of two words for one thing the document's own counts.
        kept, left = (name, first) if first in changes.outdated else (first, name)
        sources[new] = kept
        message = f"'{left}' is ignored: '{kept}' is there too, and means the same"
        notes.problem(node.entries[left], message, "ignored", at=node.key_position(left), warning=True)
    entries = {new: changes.values.get(name, node.entries[name]) for new, name in sources.items()}
    return mapping_of(node, entries, {new: node.keys[name] for new, name in sources.items()})


def mapping_of(node: Node, entries: Mapping[str, Node], keys: Mapping[str, tuple[int, int]]) -> MappingNode:
    """Return a mapping in the place of `node`."""
    data = {name: child.value for name, child in entries.items()}
    return MappingNode(data, node.file, node.line, node.column, dict(entries), dict(keys))


def each(item: Rewrite) -> Rewrite:
    """Return a list, each of whose items is rewritten."""

    def rewrite(node: Node, notes: Notes) -> Node:
        if not isinstance(node, SequenceNode):
            return node
        items = [item(child, notes) for child in node.items]
        if all(new is old for new, old in zip(items, node.items, strict=True)):
            return node
        return _sequence(node, items)

    return rewrite


def each_value(item: Rewrite) -> Rewrite:
    """Return a mapping, each of whose values is rewritten."""
    return mapping({}, rest=item)


def named(item: Rewrite = same, key: str = "name") -> Rewrite:
    """Rewrite named entries: a list of mappings with names, or a mapping from names, to such a list."""
    listed = each(item)

    def rewrite(node: Node, notes: Notes) -> Node:
        if not isinstance(node, MappingNode):
            return node if item is same else listed(node, notes)
        entries = (_entry(node, name, key, notes) for name in node.entries)
        return _sequence(node, [item(entry, notes) for entry in entries if entry is not None])

    return rewrite


def _entry(node: MappingNode, name: str, key: str, notes: Notes) -> MappingNode | None:
    """Return the entry of a name, with its name in it; it stands where the name stands."""
    child, at = node.entries[name], node.keys[name]
    if child.value is not None and not isinstance(child, MappingNode):
        notes.problem(child, f"{shown(name)} must be a mapping, not {kind_of(child.value)}", "type")
        return None
    own = child if isinstance(child, MappingNode) else None
    inner = own.entries.get(key) if own else None
    if inner is not None and str(inner.value) != name:
        message = f"'{key}' is {shown(inner.value)} here, but this stands under the name {shown(name)}; leave it out"
        notes.problem(inner, message, "name")
    label = Node(name, node.file, *at)
    above = Node(None, node.file, *at)
    entries = {key: label, **{each: own.entries[each] for each in own.entries if each != key}} if own else {key: label}
    return mapping_of(above, entries, {**own.keys, key: at} if own else {key: at})


def keyed(item: Rewrite) -> Rewrite:
    """Return a mapping from names, or a list of mappings that hold theirs, which becomes such a mapping."""
    values = each_value(item)

    def rewrite(node: Node, notes: Notes) -> Node:
        if isinstance(node, SequenceNode) and (names := [_name(child) for child in node.items]) and all(names):
            entries = {name: child for name, child in zip(names, node.items, strict=True) if name}
            if len(entries) == len(names):
                keys = {name: (child.line, child.column) for name, child in entries.items()}
                return values(mapping_of(node, entries, keys), notes)
        return values(node, notes)

    return rewrite


def _name(node: Node) -> str | None:
    name: Any = node.value.get("name") if isinstance(node, MappingNode) else None
    return name if isinstance(name, str) else None


def _sequence(node: Node, items: Iterable[Node]) -> SequenceNode:
    children = list(items)
    return SequenceNode([child.value for child in children], node.file, node.line, node.column, children)
