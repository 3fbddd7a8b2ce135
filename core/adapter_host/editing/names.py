"""The names that a document declares and refers to: operations, functions, namespaces and secrets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.model import Model
from adapter_host.capability.spec import FunctionSpec, OperationSpec
from adapter_host.compiler.plan import Plan
from adapter_host.compiler.references import OperationIndex
from adapter_host.document.imports import SECTIONS
from adapter_host.document.nodes import Loc, Position
from adapter_host.document.source import Source
from adapter_host.operation.operation import ConsumedOperation, Operation

from .check import Check
from .cursor import value_at

CALL: Final = "call"
REF: Final = "ref"
TARGET: Final = "targetNamespace"


def last_key(loc: Loc) -> str:
    """Return the last key that leads to a place, without indexes."""
    return next((part for part in reversed(loc) if isinstance(part, str)), "")


@dataclass(frozen=True, slots=True)
class Unit:
    """The models around a place, the innermost first."""

    models: Sequence[Model]

    def find(self, kind: type[Model]) -> Model | None:
        """Return the innermost model of a class."""
        return next((model for model in self.models if isinstance(model, kind)), None)


def unit_at(check: Check, source: Source, loc: Loc) -> Unit:
    """Return the models around a place of a document that has been read, which may be newer than the check."""
    models: list[Model] = []
    for length in range(len(loc), -1, -1):
        models += check.models.get(source.position_of(loc[:length]), ())
    return Unit(list({id(model): model for model in models}.values()))


def operation_at(plan: Plan, unit: Unit) -> Operation | None:
    """Return the exposed operation around a place."""
    spec = unit.find(OperationSpec)
    exposers = (exposer_plan.exposer for exposer_plan in plan.exposers)
    if not isinstance(spec, OperationSpec):
        return None
    return next((exposer.operations[spec] for exposer in exposers if spec in exposer.operations), None)


def called(plan: Plan, call: str, operation: Operation | None) -> list[ConsumedOperation]:
    """Return the operations that a `call` can mean; if they are several, those that the exposed operation calls."""
    found = OperationIndex(plan.consumed).find(call)
    if len(found) > 1 and operation is not None:
        return [target for target in found if target in operation.upstream] or found
    return found


def place_of(loaded: LoadedCapability, operation: ConsumedOperation) -> Position | None:
    """Return where an operation is declared: the section of the operation, else that of its API."""
    if operation.spec is not None and (loc := loaded.loc(operation.spec)):
        return loaded.source.position_of((*loc, "name"))
    return namespace_place(loaded, operation.namespace)


def namespace_place(loaded: LoadedCapability, namespace: str) -> Position | None:
    """Return where the namespace of a consumed API, a bind, an aggregate or an exposer is declared."""
    capability = loaded.capability
    for model in (*capability.consumes, *capability.binds, *capability.aggregates, *capability.exposes):
        if getattr(model, "namespace", None) == namespace:
            return loaded.source.position_of(loaded.loc(model, "namespace"))
    return None


def functions(loaded: LoadedCapability) -> Iterator[tuple[str, FunctionSpec]]:
    """Yield the functions of aggregates with the names that a `ref` has."""
    for aggregate in loaded.capability.aggregates:
        yield from ((f"{aggregate.namespace}.{function.name}", function) for function in aggregate.functions)


def bind_place(loaded: LoadedCapability, name: str) -> Position | None:
    """Return where the secret that a template names is declared."""
    variable = loaded.binds.find(name)
    if variable is None:
        return None
    for bind in loaded.capability.binds:
        if bind.namespace == variable.namespace and variable.variable in bind.keys:
            return loaded.source.position_of(loaded.loc(bind, "keys", variable.variable), key=True)
    return namespace_place(loaded, variable.namespace)


def imported_file(source: Source, entry: Any) -> str | None:
    """Return the path of the file that an entry imports from, or None for another entry."""
    if not isinstance(entry, dict) or "import" not in entry:
        return None
    location = entry.get("location", entry.get("from"))
    return str(Path(source.file).parent / location.removeprefix("file://")) if isinstance(location, str) else None


def import_loc(source: Source, file: str) -> Loc:
    """Return the place of the first import from a file; the root if only others import it."""
    for base in ((), ("capability",)):
        for section in SECTIONS:
            entries = value_at(source.data, (*base, section))
            for index, entry in enumerate(entries if isinstance(entries, list) else ()):
                if imported_file(source, entry) == file:
                    return (*base, section, index, "location" if "location" in entry else "from")
    return ()


def input_names(data: Any, loc: Loc) -> dict[str, None]:
    """Return the names of the inputs that are declared around a place of plain data, the innermost first."""
    names: dict[str, None] = {}
    values = [data]
    for key in loc:
        try:
            values.append(values[-1][key])
        except (KeyError, IndexError, TypeError):
            break
    for value in reversed(values):
        declared = value.get("inputParameters") if isinstance(value, dict) else None
        for entry in declared if isinstance(declared, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                names[entry["name"]] = None
    return names
