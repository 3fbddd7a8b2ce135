"""Compile operations without an upstream: constant outputs, filled in with inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.spec import OperationSpec, OutputSpec
from adapter_host.expressions.template import ABSENT
from adapter_host.operation.inputs import Input
from adapter_host.operation.operation import Arguments, Call
from adapter_host.operation.result import Result

from .values.arguments import operation_inputs
from .values.coercion import coerce
from .values.scope import Scope, compile_getter, is_input

Maker = Callable[[Arguments], Any]


@dataclass(frozen=True, slots=True)
class ConstantOperation:
    """The inputs and the call of an operation with constant outputs."""

    inputs: tuple[Input, ...]
    call: Call


def compile_constant(
    spec: OperationSpec, outputs: Sequence[OutputSpec], loaded: LoadedCapability
) -> ConstantOperation | None:
    """Compile an operation to its constant outputs; return None when no output has a value."""
    if not any(_has_value(output) for output in outputs):
        return None
    compiler = _Compiler(spec, outputs, loaded)
    make = compiler.compile()

    async def call(arguments: Arguments) -> Result:
        return Result(data=make(compiler.values(arguments)))

    return ConstantOperation(compiler.inputs(), call)


def _has_value(output: OutputSpec) -> bool:
    items = output.items if isinstance(output.items, tuple) else (output.items,) if output.items else ()
    return output.value is not None or any(map(_has_value, [*(output.properties or {}).values(), *items]))


class _Compiler:
    """Compiles the outputs of one operation and collects the inputs in their templates."""

    def __init__(self, spec: OperationSpec, outputs: Sequence[OutputSpec], loaded: LoadedCapability) -> None:
        self._outputs = outputs
        self._scope = Scope(spec.input_parameters, loaded)
        self._scope.bind_with(spec)

    def compile(self) -> Maker:
        outputs = self._outputs
        if len(outputs) == 1 and outputs[0].name is None:
            return self._compile_output(outputs[0])
        return self._compile_object({output.name or "value": output for output in outputs})

    def inputs(self) -> tuple[Input, ...]:
        """Return the declared inputs, and those that appear only in a template."""
        named = sorted(filter(is_input, self._scope.used - self._scope.declared.keys() - self._scope.implied.keys()))
        return (*operation_inputs(self._scope), *map(Input, named))

    def values(self, arguments: Arguments) -> Arguments:
        return self._scope.values(arguments) if self._scope.bound else arguments

    def _compile_output(self, output: OutputSpec) -> Maker:
        if output.properties:
            return self._compile_object(output.properties)
        if output.items is not None:
            items = output.items if isinstance(output.items, tuple) else (output.items,)
            makers = [self._compile_output(item) for item in items]
            return lambda arguments: [make(arguments) for make in makers]
        return self._compile_value(output)

    def _compile_object(self, outputs: dict[str, OutputSpec]) -> Maker:
        makers = {name: self._compile_output(output) for name, output in outputs.items()}
        return lambda arguments: {name: make(arguments) for name, make in makers.items()}

    def _compile_value(self, output: OutputSpec) -> Maker:
        value = output.const if output.value is None else output.value
        if not isinstance(value, str) or "{{" not in value:
            constant = coerce(value, output.type)
            return lambda _: constant
        getter = compile_getter(self._scope.resolve(value, self._scope.loaded.loc(output, "value")))

        def make(arguments: Arguments) -> Any:
            value = getter(arguments)
            return None if value is ABSENT else coerce(value, output.type)

        return make
