"""Overlays of OpenAPI documents (Overlay Specification 1.0): actions that update or remove parts, in order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from adapter_host.document.messages import describe_type, format_value
from adapter_host.document.nodes import Loc, MappingNode, Node, SequenceNode, node_from_data
from adapter_host.errors import Problem, ProblemsError
from adapter_host.expressions.jsonpath import compile_locations

from .reading import Document, read_yaml
from .warnings import WarningCollector, pointer

_CODE: Final = "overlay"
_VERSION: Final = re.compile(r"1\.\d+\.\d+")

Locate = Callable[[Any], list[Loc]]
Change = Callable[[Node, Loc], Node | None]


@dataclass(frozen=True, slots=True)
class _Action:
    """An action: where it is in the overlay, what it selects, and the update; None removes what is selected."""

    loc: Loc
    target: Node
    locate: Locate
    update: Node | None


@dataclass(frozen=True, slots=True)
class Overlay:
    """The actions of an overlay."""

    actions: tuple[_Action, ...]

    @classmethod
    def read(cls, file: str) -> Overlay:
        """Read an overlay in JSON or YAML; raise `ProblemsError` with positions."""
        root = read_yaml(file)
        version = root.value.get("overlay")
        if not isinstance(version, str) or not _VERSION.fullmatch(version):
            found = f"'overlay' is {format_value(version)}" if "overlay" in root.value else "it has no 'overlay'"
            raise _error(root.child("overlay") or root, f"not an Overlay document: {found}; write 'overlay: 1.0.0'")
        actions = root.child("actions")
        if not isinstance(actions, SequenceNode) or not actions.items:
            raise _error(actions or root, "an overlay needs a list of 'actions'")
        return cls(tuple(_read_action(item, ("actions", index)) for index, item in enumerate(actions.items)))

    def apply(self, document: Document, warnings: WarningCollector) -> Document:
        """Return the document with all actions applied; raise `ProblemsError` for one that does not fit."""
        root = document.root or node_from_data(document.data, document.name)
        for action in self.actions:
            try:
                found = action.locate(root.value)
            except ValueError as error:
                raise _error(action.target, str(error)) from error
            if not found:
                message = f"{format_value(action.target.value)} selects nothing; the action has no effect"
                warnings.add(action.target.position, (*action.loc, "target"), message)
                continue
            root = _applied(root, found, action)
        return Document(document.name, root.value, root)


def _read_action(node: Node, loc: Loc) -> _Action:
    if not isinstance(node, MappingNode):
        raise _error(node, f"an action must be a mapping, not {describe_type(node.value)}")
    target, update, remove = node.child("target"), node.child("update"), node.child("remove")
    if target is None or not isinstance(target.value, str):
        raise _error(target or node, "an action needs a 'target', which is a JSONPath")
    if remove is not None and not isinstance(remove.value, bool):
        raise _error(remove, f"'remove' must be true or false, not {describe_type(remove.value)}")
    removes = remove is not None and remove.value
    if update is None and not removes:
        raise _error(node, "an action needs 'update' or 'remove: true'")
    try:
        locate = compile_locations(target.value)
    except ValueError as error:
        raise _error(target, str(error)) from error
    return _Action(loc, target, locate, None if removes else update)


def _error(node: Node, message: str) -> ProblemsError:
    return ProblemsError([Problem(message, *node.position, code=_CODE)])


def _applied(root: Node, found: Iterable[Loc], action: _Action) -> Node:
    tree = _Tree()
    for loc in found:
        tree.add(loc)

    def change(node: Node, loc: Loc) -> Node | None:
        return None if action.update is None else _updated(node, action.update, action.target, loc)

    changed = _changed(root, tree, change, ())
    if changed is None:
        raise _error(action.target, "the whole document cannot be removed; select parts of it")
    return changed


@dataclass(slots=True)
class _Tree:
    """Selected places as a tree."""

    selected: bool = False
    below: dict[str | int, _Tree] = field(default_factory=dict)

    def add(self, loc: Loc) -> None:
        tree = self
        for key in loc:
            tree = tree.below.setdefault(key, _Tree())
        tree.selected = True


def _changed(node: Node, tree: _Tree, change: Change, loc: Loc) -> Node | None:
    """Return a node with its selected parts changed, outer ones first; None if it is removed."""
    if tree.selected:
        result = change(node, loc)
        if result is None:
            return None
        node = result
    if not tree.below:
        return node
    changed = {
        key: _changed(child, below, change, (*loc, key))
        for key, below in tree.below.items()
        if (child := node.child(key)) is not None
    }
    if isinstance(node, MappingNode):
        merged: dict[Any, Node | None] = {**node.entries, **changed}
        entries = {key: child for key, child in merged.items() if child is not None}
        keys = {key: position for key, position in node.keys.items() if key in entries}
        return _mapping(node, entries, keys)
    if isinstance(node, SequenceNode):
        items = [changed.get(index, item) for index, item in enumerate(node.items)]
        return _sequence(node, [item for item in items if item is not None])
    return node


def _updated(node: Node, update: Node, target: Node, loc: Loc) -> Node:
    """Return a selected node with an update; an object gets properties, a list an item."""
    if isinstance(node, SequenceNode):
        return _sequence(node, [*node.items, update])
    if not isinstance(node, MappingNode):
        message = f"it selects {describe_type(node.value)} at {pointer(loc)}; select the mapping that it is in"
        raise _error(target, message)
    if not isinstance(update, MappingNode):
        message = f"'update' must be a mapping for {pointer(loc)}, not {describe_type(update.value)}"
        raise _error(update, message)
    return _merged(node, update, loc)


def _merged(node: Node, update: Node, loc: Loc) -> Node:
    """Return a value with an update: mappings are merged, lists appended, other values replaced."""
    if isinstance(node, MappingNode) and isinstance(update, MappingNode):
        entries = dict(node.entries)
        for key, child in update.entries.items():
            entries[key] = _merged(entries[key], child, (*loc, key)) if key in entries else child
        return _mapping(node, entries, {**update.keys, **node.keys})
    if isinstance(node, SequenceNode) and isinstance(update, SequenceNode):
        return _sequence(node, [*node.items, *update.items])
    if node.kind != "scalar" or update.kind != "scalar":
        types = f"{describe_type(update.value)} cannot be merged into {describe_type(node.value)}"
        raise _error(update, f"{types} at {pointer(loc)}; remove that first, in an action of its own")
    return update


def _mapping(node: Node, entries: dict[str, Node], keys: dict[str, tuple[int, int]]) -> MappingNode:
    data = {key: child.value for key, child in entries.items()}
    return MappingNode(data, node.file, node.line, node.column, entries, keys)


def _sequence(node: Node, items: list[Node]) -> SequenceNode:
    return SequenceNode([item.value for item in items], node.file, node.line, node.column, items)
