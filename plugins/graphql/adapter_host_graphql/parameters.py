"""Find the inputs that errors of validation and of variables are about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    Node,
    TypeInfo,
    TypeInfoVisitor,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    is_required_argument,
    visit,
)


def find_parameters(errors: Iterable[GraphQLError], document: DocumentNode, schema: GraphQLSchema) -> dict[int, str]:
    """Return the names of inputs by the ids of the nodes of errors."""
    nodes = [node for error in errors for node in error.nodes or ()]
    finder = _Finder(nodes, schema)
    if nodes:
        visit(document, TypeInfoVisitor(finder.type_info, finder))
    return finder.found


def parameter_of(error: GraphQLError, found: dict[int, str]) -> dict[str, Any]:
    """Return the extension that names the input of an error; empty if it is about none."""
    name = next((found[id(node)] for node in error.nodes or () if id(node) in found), None)
    return {} if name is None else {"parameter": name}


class _Finder(Visitor):
    """Finds the inputs of the arguments that contain a node or use its variable, or those that a field lacks."""

    def __init__(self, nodes: Iterable[Node], schema: GraphQLSchema) -> None:
        super().__init__()
        self.type_info = TypeInfo(schema)
        self.found: dict[int, str] = {}
        self._nodes = {id(node) for node in nodes}
        definitions = (node for node in nodes if isinstance(node, VariableDefinitionNode))
        self._variables = {node.variable.name.value: id(node) for node in definitions}

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        definition = self.type_info.get_field_def()
        if id(node) in self._nodes and definition is not None:
            given = {argument.name.value for argument in node.arguments or ()}
            missing = (each for name, each in definition.args.items() if name not in given)
            for name in [each.out_name for each in missing if is_required_argument(each)][:1]:
                self.found.setdefault(id(node), name or "")

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        argument = self.type_info.get_argument()
        if argument is None:
            return
        name = argument.out_name or node.name.value
        for each in _descendants(node):
            if id(each) in self._nodes:
                self.found.setdefault(id(each), name)
            if isinstance(each, VariableNode) and each.name.value in self._variables:
                self.found.setdefault(self._variables[each.name.value], name)


def _descendants(node: Node) -> Iterator[Node]:
    pending = [node]
    while pending:
        each = pending.pop()
        yield each
        for key in each.keys:
            value = getattr(each, key, None)
            parts = value if isinstance(value, list | tuple) else (value,)
            pending += [part for part in parts if isinstance(part, Node)]
