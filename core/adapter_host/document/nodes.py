"""The nodes of a document: plain values, each with the place it was read from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from adapter_host.errors import Problem, ProblemsError

from .messages import kind_of

Loc = tuple[str | int, ...]
Position = tuple[str, int, int]

MAX_DEPTH = 100


@dataclass(slots=True, eq=False)
class Node:
    """One value and its place; an alias shares its node, so nodes are never changed once read."""

    kind: ClassVar[Literal["mapping", "sequence", "scalar"]] = "scalar"

    value: Any
    file: str
    line: int
    column: int

    @property
    def position(self) -> Position:
        """File, line and column of the value."""
        return self.file, self.line, self.column

    def child(self, part: str | int) -> "Node | None":
        """Return the node under a key or index, when there is one."""
        return None

    def key_position(self, part: str | int) -> Position | None:
        """File, line and column of a key, when there is one."""
        return None

    def replaced(self, part: str | int, node: "Node") -> "Node":
        """Return a copy with another node under a key or index that is there; raises LookupError otherwise."""
        raise LookupError(part)


@dataclass(slots=True, eq=False)
class SequenceNode(Node):
    """A list and the nodes of its items."""

    kind = "sequence"

    items: list[Node]

    def child(self, part: str | int) -> Node | None:
        return self.items[part] if isinstance(part, int) and 0 <= part < len(self.items) else None

    def replaced(self, part: str | int, node: Node) -> Node:
        if not isinstance(part, int) or not 0 <= part < len(self.items):
            raise LookupError(part)
        value = [*self.value[:part], node.value, *self.value[part + 1 :]]
        items = [*self.items[:part], node, *self.items[part + 1 :]]
        return SequenceNode(value, self.file, self.line, self.column, items)


@dataclass(slots=True, eq=False)
class MappingNode(Node):
    """A mapping, the nodes of its values and the line and column of each key."""

    kind = "mapping"

    entries: dict[str, Node]
    keys: dict[str, tuple[int, int]]

    def child(self, part: str | int) -> Node | None:
        return self.entries.get(part) if isinstance(part, str) else None

    def key_position(self, part: str | int) -> Position | None:
        return (self.file, *self.keys[part]) if isinstance(part, str) and part in self.keys else None

    def replaced(self, part: str | int, node: Node) -> Node:
        if not isinstance(part, str) or part not in self.entries:
            raise LookupError(part)
        value = {**self.value, part: node.value}
        entries = {**self.entries, part: node}
        return MappingNode(value, self.file, self.line, self.column, entries, self.keys)

    def having(self, key: str, node: Node) -> "MappingNode":
        """Return a copy that has an entry, whatever it had there; a new key has the place of the mapping."""
        keys = {key: (self.line, self.column), **self.keys}
        value, entries = {**self.value, key: node.value}, {**self.entries, key: node}
        return MappingNode(value, self.file, self.line, self.column, entries, keys)


def node_of(value: Any, file: str, depth: int = 0) -> Node:
    """Return the node of plain data that was never text: its places have no line; raises ProblemsError."""
    if depth > MAX_DEPTH:
        raise ProblemsError([Problem(f"nested more than {MAX_DEPTH} deep", file, code="too-deep")])
    if isinstance(value, Mapping):
        entries = {_key_of(key, file): node_of(item, file, depth + 1) for key, item in value.items()}
        data = {key: node.value for key, node in entries.items()}
        return MappingNode(data, file, 0, 0, entries, dict.fromkeys(entries, (0, 0)))
    if isinstance(value, (list, tuple)):
        items = [node_of(item, file, depth + 1) for item in value]
        return SequenceNode([item.value for item in items], file, 0, 0, items)
    if value is None or isinstance(value, (str, int, float)):
        return Node(value, file, 0, 0)
    message = f"a document cannot hold a {type(value).__name__}"
    raise ProblemsError([Problem(message, file, code="invalid-scalar")])


def _key_of(key: object, file: str) -> str:
    if isinstance(key, str):
        return key
    message = f"a key must be text, not {kind_of(key)}"
    raise ProblemsError([Problem(message, file, code="key-not-text")])
