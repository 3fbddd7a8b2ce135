"""Resolve references (`call` and `ref`) when a document is loaded."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.spec import FunctionSpec
from adapter_host.document.messages import did_you_mean
from adapter_host.operation.operation import ConsumedOperation


@dataclass(frozen=True, slots=True)
class Caller:
    """The context of a call, to choose between operations with the same name."""

    keys: frozenset[str] = frozenset()
    description: str | None = None
    resource_names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    method: str | None = None


_READING_METHODS: Final = frozenset({"GET", "HEAD"})


def normalize_name(name: str) -> str:
    """Return a name for comparison: case-folded, without `-` and `_`."""
    return name.replace("-", "").replace("_", "").casefold()


def placeholders(path: str) -> tuple[str, ...]:
    """Return the names of the placeholders (`{x}` and `{{x}}`) of a path."""
    return tuple(re.findall(r"\{\s*([^{}\s]+)\s*\}", path))


class OperationIndex:
    """Consumed operations by the references (`call`) that can name them."""

    def __init__(self, operations: Iterable[ConsumedOperation]) -> None:
        self._named: dict[str, list[ConsumedOperation]] = {}
        self._in_resource: dict[str, list[ConsumedOperation]] = {}
        for operation in operations:
            for name in dict.fromkeys(operation.names):
                self._named.setdefault(name, []).append(operation)
            if operation.resource:
                self._in_resource.setdefault(f"{operation.namespace}.{operation.resource}", []).append(operation)

    def find(self, call: str) -> list[ConsumedOperation]:
        """Return the operations named `namespace.operation` or `namespace.resource.operation` (also with `/`).

        Without one, return the operation of the resource `namespace.resource`, if it has only one.
        """
        reference = call.replace("/", ".")
        # The name of a resource is that of its only operation.
        in_resource = self._in_resource.get(reference, [])
        return self._named.get(reference) or (in_resource if len(in_resource) == 1 else [])


def best_matches(candidates: Sequence[ConsumedOperation], caller: Caller) -> Sequence[ConsumedOperation]:
    """Return the candidates that the caller can mean; several when the reference is ambiguous.

    An identical description decides. Otherwise all other evidence must agree; what is left open is inferred from path
    variables for operations that only read.
    """
    if len(candidates) < 2:
        return candidates
    described = [item for item in candidates if caller.description and item.description == caller.description]
    if len(described) == 1:
        return described
    candidates = described or candidates
    keys = {
        normalize_name(key) for key in (*caller.keys, *(name for path in caller.paths for name in placeholders(path)))
    }
    agreeing = _agreeing(candidates, caller, keys)
    if len(agreeing) < 2:
        return agreeing or candidates
    inferred = [item for item in agreeing if _path_input_names(item) <= keys <= _input_names(item)]
    exact = [item for item in inferred if _input_names(item) == keys]
    for guess in (exact, inferred):
        if len(guess) == 1 and guess[0].method in _READING_METHODS:
            return guess
    return agreeing


def _agreeing(candidates: Sequence[ConsumedOperation], caller: Caller, keys: set[str]) -> Sequence[ConsumedOperation]:
    """Return the candidates that all evidence points to."""
    paths = {_comparable_path(path) for path in caller.paths}
    names = {normalize_name(name) for name in caller.resource_names}
    evidence: tuple[Callable[[ConsumedOperation], bool], ...] = (
        lambda item: normalize_name(item.resource or "") in names or _comparable_path(item.path or "") in paths,
        lambda item: item.method == caller.method,
        lambda item: bool(keys) and _input_names(item) >= keys,
        # Path variables that the caller does not mention are its inputs too, so they do not count.
        lambda item: bool(keys) and _input_names(item) - (_path_input_names(item) - keys) == keys,
    )
    agreeing = list(candidates)
    for is_match in evidence:
        matching = [item for item in candidates if is_match(item)]
        agreeing = [item for item in agreeing if item in matching] if matching else agreeing
    return agreeing


def _input_names(operation: ConsumedOperation) -> set[str]:
    return {normalize_name(item.name) for item in operation.inputs}


def _path_input_names(operation: ConsumedOperation) -> set[str]:
    return {normalize_name(item.name) for item in operation.inputs if item.in_ == "path"}


def _comparable_path(path: str) -> str:
    """Return a path for comparison: normalized, without a `/vN` prefix and braces."""
    return normalize_name(re.sub(r"\{+\s*|\s*\}+", "", re.sub(r"^/v\d+(?=/|$)", "", path.rstrip("/"))))


def unknown_operation_message(call: str, consumed: Collection[ConsumedOperation]) -> str:
    """Return the message for a call of an unknown operation."""
    names = sorted({f"{operation.namespace}.{operation.name}" for operation in consumed})
    namespace = call.split(".")[0]
    siblings = [name for name in names if name.startswith(f"{namespace}.")]
    if hint := did_you_mean(call, names):
        return f"unknown operation '{call}'{hint}"
    if not siblings:
        namespaces = sorted({operation.namespace for operation in consumed})
        return f"unknown operation '{call}' (consumed namespaces: {', '.join(namespaces) or 'none'})"
    joined = ", ".join(siblings[:8]) + (", ..." if len(siblings) > 8 else "")
    return f"unknown operation '{call}' (known: {joined})"


def ambiguous_operation_message(call: str, candidates: Collection[ConsumedOperation]) -> str:
    """Return the message for a call that matches several operations."""
    names = sorted({operation.names[-1] for operation in candidates})
    if len(names) < len(candidates):
        return f"'{call}' is ambiguous: several operations have this name; rename them or their resources"
    return f"'{call}' is ambiguous; use one of {', '.join(names)}"


class Functions:
    """The functions of a capability by name; reports duplicate names."""

    def __init__(self, loaded: LoadedCapability) -> None:
        self._loaded = loaded
        self._word = loaded.source.term("function")
        self._functions: dict[str, FunctionSpec] = {}
        self._used: set[str] = set()
        self._duplicates: dict[str, FunctionSpec] = {}
        for aggregate in loaded.capability.aggregates:
            for function in aggregate.functions:
                name = f"{aggregate.namespace}.{function.name}"
                if name in self._functions:
                    self._duplicates[name] = function
                    self._report_duplicate(name)
                self._functions.setdefault(name, function)

    def find(self, ref: str) -> FunctionSpec | None:
        """Return the function with this name, and count it as used; report a duplicate name."""
        self._used.add(ref)
        if ref in self._duplicates:
            # The same problem again, which leaves out the caller too.
            self._report_duplicate(ref)
        return self._functions.get(ref)

    def _report_duplicate(self, name: str) -> None:
        loc = self._loaded.loc(self._duplicates[name], "name")
        self._loaded.problem(f"{self._word} '{name}' is declared twice", loc, code="duplicate-function")

    @property
    def unused(self) -> list[FunctionSpec]:
        """The functions that no reference used."""
        return [function for name, function in self._functions.items() if name not in self._used]

    def unknown_message(self, ref: str) -> str:
        """Return the message for a `ref` to an unknown function."""
        names = list(self._functions)
        hint = did_you_mean(ref, names) or f" (known: {', '.join(names[:8]) or 'none'})"
        return f"unknown {self._word} '{ref}'{hint}"
