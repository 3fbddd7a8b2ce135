"""The operations as fields of `Query` and `Mutation`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from adapter_host import BuildContext, Operation, Operations

from .config import GraphqlConfig, GraphqlOperationSpec, Kind
from .names import legal_names

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that only read (RFC 9110, section 9.2.1)."""

_SAFE_STEPS: Final = frozenset({"call", "lookup"})
"""The types of steps that change nothing themselves."""


@dataclass(frozen=True, slots=True)
class RootField:
    """An operation with the name of its field, and the names of its arguments by those of its inputs."""

    name: str
    kind: Kind
    operation: Operation
    deprecated: str | None
    arguments: dict[str, str]


def compile_fields(config: GraphqlConfig, operations: Operations, context: BuildContext) -> list[RootField]:
    """Return the fields in the document's order; warn about operations whose names are used already."""
    fields: list[RootField] = []
    specs: dict[str, GraphqlOperationSpec] = {}
    names = legal_names(spec.known_as for spec in config.operations)
    for spec in config.operations:
        with context.section() as section:
            first = specs.setdefault(spec.known_as, spec)
            if first is not spec:
                message = f"duplicate operation '{spec.known_as}'; rename one of them"
                context.problem(message, spec, "name", code="duplicate-name")
        if spec in operations and not section.skipped and first is spec:
            operation = operations[spec]
            arguments = legal_names((each.name for each in operation.inputs), "argument")
            kind = spec.kind or _kind(operation)
            fields.append(RootField(names[spec.known_as], kind, operation, spec.deprecated, arguments))
    return fields


def _kind(operation: Operation) -> Kind:
    """Return `query` for an operation that only reads: as it is declared, else by the methods of its calls."""
    if operation.semantics is not None and operation.semantics.safe is not None:
        return "query" if operation.semantics.safe else "mutation"
    reads = all((each.method or "").upper() in _SAFE_METHODS for each in operation.upstream)
    return "query" if reads and all(step.type in _SAFE_STEPS for step in operation.spec.steps) else "mutation"
