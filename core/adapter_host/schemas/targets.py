"""The targets of references: nodes of documents, and the meaning of references in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from adapter_host.document.messages import did_you_mean, join_words
from adapter_host.document.nodes import Loc, MappingNode, Node, SequenceNode
from adapter_host.document.source import Source
from adapter_host.errors import Problem, ProblemsError


@dataclass(frozen=True, slots=True)
class Scope:
    """The schema that `#` means with its name, and the document that `#/x-schemas` means."""

    base: Node
    source: Source
    name: str = "schema"


@dataclass(slots=True)
class Target:
    """A schema that a reference leads to; `name` is the last key of the reference, or its name in `$defs`."""

    node: Node
    scope: Scope
    name: str


def problem_at(message: str, node: Node) -> ProblemsError:
    """Return an error with one problem, at a node."""
    return ProblemsError([Problem(message, *node.position, code="schema")])


def keys_of(node: Node) -> Mapping[str, Node]:
    """Return the entries of a mapping; none of another node."""
    return node.entries if isinstance(node, MappingNode) else {}


def child_at(node: Node, keys: list[str], reference: Node) -> Node:
    """Return the node at the keys of a reference; raise `ProblemsError` for one that does not exist."""
    for key in keys:
        child = node.child(int(key) if isinstance(node, SequenceNode) and key.isdecimal() else key)
        if child is None:
            known = list(keys_of(node))
            hint = did_you_mean(key, known) or f" (it has: {join_words(known[:20], 'and') or 'nothing'})"
            raise problem_at(f"'{reference.value}' refers to '{key}', which does not exist{hint}", reference)
        node = child
    return node


def walk_nodes(node: Node, keys: Loc = ()) -> Iterator[tuple[Loc, Node]]:
    """Yield a node and all nodes in it, with the keys that lead to them."""
    yield keys, node
    if isinstance(node, MappingNode):
        for key, child in node.entries.items():
            yield from walk_nodes(child, (*keys, key))
    elif isinstance(node, SequenceNode):
        for index, child in enumerate(node.items):
            yield from walk_nodes(child, (*keys, index))
