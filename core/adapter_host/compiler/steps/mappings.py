"""Mappings: compose the result of an operation from the results of its steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adapter_host.capability.spec import MappingSpec, OperationSpec, OutputSpec
from adapter_host.compiler.values.coercion import Transform
from adapter_host.compiler.values.output_schemas import ResultSchema, describe_mapped_results, describe_results
from adapter_host.compiler.values.outputs import (
    Path,
    compile_mapped_outputs,
    compile_outputs,
    is_passthrough,
)
from adapter_host.compiler.values.scope import Scope, Values, compile_getter
from adapter_host.expressions.template import ABSENT
from adapter_host.operation.result import Result

Finish = Callable[[Values, Result], Result]
"""Return the result of an operation, from the values of its steps and the result of the last step."""


def compile_finish(spec: OperationSpec, outputs: Sequence[OutputSpec], scope: Scope) -> Finish:
    """Compile the result of an operation with steps: its mappings, or else the result of the last step."""
    paths = _target_paths(spec.mappings, scope)
    transform = _compile_outputs(outputs, paths, scope)
    if not spec.mappings:
        return _finish_last(transform)
    _warn_unmapped(outputs, paths, scope)
    make = _compile_mappings(spec.mappings, paths, scope)
    if transform is None:
        return lambda values, last: Result(data=make(values))
    return lambda values, last: Result(data=transform(make(values)))


def describe_steps_result(outputs: Sequence[OutputSpec]) -> ResultSchema:
    """Return the JSON Schema (2020-12) of the result, if the outputs declare one."""
    return describe_mapped_results(outputs) if _is_named(outputs) else describe_results(outputs)


def _warn_unmapped(outputs: Sequence[OutputSpec], paths: Sequence[Path], scope: Scope) -> None:
    mapped = {path[0] for path in paths}
    target = scope.loaded.source.term("targetName")
    for output in outputs if _is_named(outputs) else ():
        if output.name not in mapped and output.mapping is None and output.value is None and output.const is None:
            message = f"output '{output.name}' is always null: no mapping has that {target}"
            loc = scope.loaded.loc(output, "name")
            scope.loaded.problem(message, loc, code="unmapped-output", warning=True)


def _finish_last(transform: Transform | None) -> Finish:
    def finish(values: Values, last: Result) -> Result:
        if transform is None or not last.body:
            return last
        return Result(status=last.status, data=transform(last.data), headers=last.headers)

    return finish


def _compile_outputs(outputs: Sequence[OutputSpec], paths: Sequence[Path], scope: Scope) -> Transform | None:
    if _is_named(outputs):
        return compile_mapped_outputs(outputs, paths, scope.loaded)
    return compile_outputs(outputs, scope.loaded)


def _is_named(outputs: Sequence[OutputSpec]) -> bool:
    return bool(outputs) and all(output.name for output in outputs) and not is_passthrough(outputs[0])


def _target_paths(mappings: Sequence[MappingSpec], scope: Scope) -> list[Path]:
    """Return the target path of each mapping; report paths below the target of another mapping."""
    paths = [tuple(mapping.target_name.split(".")) for mapping in mappings]
    for mapping, path in zip(mappings, paths, strict=True):
        parent = next((other for other in paths if other == path[: len(other)] and other != path), None)
        if parent is not None:
            message = f"'{mapping.target_name}' conflicts with '{'.'.join(parent)}', which is mapped too"
            loc = scope.loaded.loc(mapping, "targetName")
            scope.loaded.problem(message, loc, code="mapping-target")
    return paths


def _compile_mappings(
    mappings: Sequence[MappingSpec], paths: Sequence[Path], scope: Scope
) -> Callable[[Values], dict[str, Any]]:
    """Compile mappings to a function that returns an object; the last mapping with a value sets a target."""
    getters = []
    for mapping, path in zip(mappings, paths, strict=True):
        value = scope.resolve(mapping.value, scope.loaded.loc(mapping, "value"))
        getters.append((path, compile_getter(value)))

    def make(values: Values) -> dict[str, Any]:
        mapped: dict[str, Any] = {}
        for (*parents, name), getter in getters:
            value = getter(values)
            if value is not None and value is not ABSENT:
                container = mapped
                for key in parents:
                    container = container.setdefault(key, {})
                container[name] = value
        return mapped

    return make
