"""The limits of documents: depth, cost and aliases, counted before anything else that takes long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
)

from .config import GraphqlConfig

CALL_COST: Final = 10
"""The cost of a field that calls an operation, in addition to its own."""

LIST_FACTOR: Final = 10
"""The elements that a list is taken to have."""

_INTROSPECTION: Final = frozenset({"__schema", "__type"})


@dataclass(frozen=True, slots=True)
class Measure:
    """The levels of fields of a selection, their cost, and the number of fields with an alias."""

    depth: int = 0
    complexity: int = 0
    aliases: int = 0


def exceeded_limits(document: DocumentNode, schema: GraphQLSchema, config: GraphqlConfig) -> list[GraphQLError]:
    """Return an error for each limit that an operation exceeds."""
    errors = []
    for operation in document.definitions:
        if not isinstance(operation, OperationDefinitionNode):
            continue
        try:
            measure = _Meter(document, schema, config.max_aliases).measure(operation)
        except RecursionError:
            errors.append(GraphQLError("the document is nested too deeply", operation))
            continue
        for name, value, limit in (
            ("depth", measure.depth, config.max_depth),
            ("complexity", measure.complexity, config.max_complexity),
            ("number of aliases", measure.aliases, config.max_aliases),
        ):
            if value > limit:
                errors.append(
                    GraphQLError(f"the {name} of the operation is {value}; at most {limit} is allowed", operation)
                )
    return errors


class _Meter:
    """Measures operations; each fragment is measured once, and one within itself adds nothing."""

    def __init__(self, document: DocumentNode, schema: GraphQLSchema, most_repeated: int) -> None:
        self._schema = schema
        self._most_repeated = most_repeated + 1
        named = (each for each in document.definitions if isinstance(each, FragmentDefinitionNode))
        self._fragments = {each.name.value: each for each in named}
        self._measured: dict[str, Measure] = {}

    def measure(self, operation: OperationDefinitionNode) -> Measure:
        root = self._schema.get_root_type(operation.operation)
        return self._sum(operation.selection_set, root, is_root=True)

    def _sum(self, selections: SelectionSetNode | None, parent: Any, *, is_root: bool = False) -> Measure:
        depth = complexity = aliases = 0
        names: Counter[str] = Counter()
        for each in self._parts(selections, parent, names, is_root=is_root):
            depth = max(depth, each.depth)
            complexity += each.complexity
            aliases += each.aliases
        # Comparing fields of one name with each other takes quadratic time, so they count like aliases.
        repeated = max(names.values(), default=0)
        return Measure(depth, complexity, max(aliases, repeated if repeated > self._most_repeated else 0))

    def _parts(
        self, selections: SelectionSetNode | None, parent: Any, names: Counter[str], *, is_root: bool
    ) -> Iterator[Measure]:
        for node in () if selections is None else selections.selections:
            if isinstance(node, FieldNode):
                names[node.alias.value if node.alias else node.name.value] += 1
                yield self._field(node, parent, is_root=is_root)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                inner = parent if condition is None else self._schema.get_type(condition.name.value)
                yield self._sum(node.selection_set, inner, is_root=is_root)
            elif isinstance(node, FragmentSpreadNode):
                yield self._fragment(node.name.value, is_root=is_root)

    def _field(self, node: FieldNode, parent: Any, *, is_root: bool) -> Measure:
        name, alias = node.name.value, int(node.alias is not None)
        if name in _INTROSPECTION:
            # Its depth has a rule of its own, which lets the usual queries of tools pass.
            return Measure(1, CALL_COST, alias)
        field = getattr(parent, "fields", {}).get(name)
        inner = self._sum(node.selection_set, None if field is None else get_named_type(field.type))
        factor = LIST_FACTOR ** (0 if field is None else _list_levels(field.type))
        cost = 1 + inner.complexity * factor + (CALL_COST if is_root and not name.startswith("__") else 0)
        return Measure(1 + inner.depth, cost, alias + inner.aliases)

    def _fragment(self, name: str, *, is_root: bool) -> Measure:
        fragment = self._fragments.get(name)
        if fragment is None:
            return Measure()
        if name not in self._measured:
            self._measured[name] = Measure()
            condition = self._schema.get_type(fragment.type_condition.name.value)
            self._measured[name] = self._sum(fragment.selection_set, condition, is_root=is_root)
        return self._measured[name]


def _list_levels(field_type: Any) -> int:
    levels = 0
    while isinstance(field_type, GraphQLList | GraphQLNonNull):
        levels += isinstance(field_type, GraphQLList)
        field_type = field_type.of_type
    return levels
