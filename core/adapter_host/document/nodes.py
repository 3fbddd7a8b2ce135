"""The nodes of a document: plain values with their positions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from adapter_host.errors import Problem, ProblemsError

from .messages import describe_type

Loc = tuple[str | int, ...]
Position = tuple[str, int, int]

MAX_DEPTH = 100


@dataclass(slots=True, eq=False)
class Node:
    """A value and its position. Aliases share nodes, so nodes do not change once read."""

    kind: ClassVar[Literal["mapping", "sequence", "scalar"]] = "scalar"

    value: Any
    file: str
    line: int
    column: int

    @property
    def position(self) -> Position:
        """File, line and column of the value."""
        return self.file, self.line, self.column

    def child(self, key: str | int) -> "Node | None":
        """Return the node at a key or index, or None."""
        return None

    def key_position(self, key: str | int) -> Position | None:
        """Return file, line and column of a key, or None."""
        return None

    def with_child(self, key: str | int, node: "Node") -> "Node":
        """Return a copy with another node at an existing key or index; raise LookupError if there is none."""
        raise LookupError(key)


@dataclass(slots=True, eq=False)
class SequenceNode(Node):
    """A list and the nodes of its items."""

    kind = "sequence"

    items: list[Node]

    def child(self, key: str | int) -> Node | None:
        return self.items[key] if isinstance(key, int) and 0 <= key < len(self.items) else None

    def with_child(self, key: str | int, node: Node) -> "SequenceNode":
        if not isinstance(key, int) or not 0 <= key < len(self.items):
            raise LookupError(key)
        value = [*self.value[:key], node.value, *self.value[key + 1 :]]
        items = [*self.items[:key], node, *self.items[key + 1 :]]
        return SequenceNode(value, self.file, self.line, self.column, items)

    def without(self, index: int) -> "SequenceNode":
        """Return a copy without an item."""
        value = [*self.value[:index], *self.value[index + 1 :]]
        items = [*self.items[:index], *self.items[index + 1 :]]
        return SequenceNode(value, self.file, self.line, self.column, items)


@dataclass(slots=True, eq=False)
class MappingNode(Node):
    """A mapping, the nodes of its values, and the line and column of each key."""

    kind = "mapping"

    entries: dict[str, Node]
    keys: dict[str, tuple[int, int]]

    def child(self, key: str | int) -> Node | None:
        return self.entries.get(key) if isinstance(key, str) else None

    def key_position(self, key: str | int) -> Position | None:
        return (self.file, *self.keys[key]) if isinstance(key, str) and key in self.keys else None

    def with_child(self, key: str | int, node: Node) -> "MappingNode":
        if not isinstance(key, str) or key not in self.entries:
            raise LookupError(key)
        value = {**self.value, key: node.value}
        entries = {**self.entries, key: node}
        return MappingNode(value, self.file, self.line, self.column, entries, self.keys)

    def with_entry(self, key: str, node: Node) -> "MappingNode":
        """Return a copy with an entry set; a new key gets the position of the mapping."""
        keys = {key: (self.line, self.column), **self.keys}
        value, entries = {**self.value, key: node.value}, {**self.entries, key: node}
        return MappingNode(value, self.file, self.line, self.column, entries, keys)


def node_from_data(value: Any, file: str, depth: int = 0) -> Node:
    """Return the node of plain data, with line 0 everywhere; raise ProblemsError."""
    if depth > MAX_DEPTH:
        raise ProblemsError([Problem(f"nested more than {MAX_DEPTH} levels deep", file, code="too-deep")])
    if isinstance(value, Mapping):
        entries = {_require_text_key(key, file): node_from_data(item, file, depth + 1) for key, item in value.items()}
        data = {key: node.value for key, node in entries.items()}
        return MappingNode(data, file, 0, 0, entries, dict.fromkeys(entries, (0, 0)))
    if isinstance(value, (list, tuple)):
        items = [node_from_data(item, file, depth + 1) for item in value]
        return SequenceNode([item.value for item in items], file, 0, 0, items)
    if value is None or isinstance(value, (str, int, float)):
        return Node(value, file, 0, 0)
    message = f"a document cannot contain a {type(value).__name__}"
    raise ProblemsError([Problem(message, file, code="invalid-scalar")])


def node_at(value: Any, place: Node) -> Node:
    """Return the node of plain data, everywhere with the position of another node."""
    if isinstance(value, Mapping):
        entries = {key: node_at(item, place) for key, item in value.items()}
        data = {key: node.value for key, node in entries.items()}
        keys = dict.fromkeys(entries, (place.line, place.column))
        return MappingNode(data, place.file, place.line, place.column, entries, keys)
    if isinstance(value, (list, tuple)):
        items = [node_at(item, place) for item in value]
        return SequenceNode([item.value for item in items], place.file, place.line, place.column, items)
    return Node(value, place.file, place.line, place.column)


def _require_text_key(key: object, file: str) -> str:
    if isinstance(key, str):
        return key
    message = f"a key must be text, not {describe_type(key)}"
    raise ProblemsError([Problem(message, file, code="key-not-text")])
