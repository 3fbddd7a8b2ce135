"""Operations without an upstream: their outputs' own values, with the caller's inputs filled in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .capability import OperationSpec, OutputSpec
from .declaration import Declaration
from .document.source import Loc
from .inputs import Input
from .operation import Arguments, Call, Result
from .shaping import coerce
from .template import ABSENT
from .units import declared_input

Make = Callable[[Arguments], Any]


@dataclass(frozen=True, slots=True)
class Mock:
    """A compiled mock: its inputs and its call."""

    inputs: tuple[Input, ...]
    call: Call


def compile_mock(spec: OperationSpec, declaration: Declaration) -> Mock | None:
    """The mock that an operation's outputs declare, or None when none of them has a value."""
    if not any(_has_value(output) for output in spec.output_parameters):
        return None
    compiler = _Compiler(spec, declaration)
    make = compiler.answer()

    async def call(arguments: Arguments) -> Result:
        return Result(data=make(arguments))

    return Mock(compiler.inputs(), call)


def _has_value(output: OutputSpec) -> bool:
    items = output.items if isinstance(output.items, tuple) else (output.items,) if output.items else ()
    return output.value is not None or any(map(_has_value, [*(output.properties or {}).values(), *items]))


class _Compiler:
    """Compiles the outputs of one operation and collects the inputs that their templates name."""

    def __init__(self, spec: OperationSpec, declaration: Declaration) -> None:
        self._spec = spec
        self._declaration = declaration
        self._declared = {given.name: given for given in spec.input_parameters}
        self._named: dict[str, None] = {}

    def answer(self) -> Make:
        outputs = self._spec.output_parameters
        if len(outputs) == 1 and outputs[0].name is None:
            return self._make(outputs[0])
        return self._object({output.name or "value": output for output in outputs})

    def inputs(self) -> tuple[Input, ...]:
        """The declared inputs, and those that only a template names."""
        declared = map(declared_input, self._declared.values())
        return (*declared, *(Input(name) for name in self._named if name not in self._declared))

    def _make(self, output: OutputSpec) -> Make:
        if output.properties:
            return self._object(output.properties)
        if output.items is not None:
            items = output.items if isinstance(output.items, tuple) else (output.items,)
            makers = [self._make(item) for item in items]
            return lambda arguments: [make(arguments) for make in makers]
        return self._value(output.value, output.type, self._declaration.loc(output, "value"))

    def _object(self, outputs: dict[str, OutputSpec]) -> Make:
        makers = {name: self._make(output) for name, output in outputs.items()}
        return lambda arguments: {name: make(arguments) for name, make in makers.items()}

    def _value(self, value: Any, type: str | None, loc: Loc) -> Make:
        if not isinstance(value, str) or "{{" not in value:
            constant = coerce(value, type)
            return lambda _: constant
        template = self._declaration.template(value, loc, inputs=self._declared)
        self._named.update(dict.fromkeys(template.inputs))

        def make(arguments: Arguments) -> Any:
            found = template.value(arguments)
            return None if found is ABSENT else coerce(found, type)

        return make
