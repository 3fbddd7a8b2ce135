"""Compiling one operation: its reference resolved, its inputs wired, its call composed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from .adapters import ConsumedOperation
from .capability import OperationSpec
from .declaration import Declaration
from .errors import UpstreamStatus
from .gate import Gate, guarded
from .mocks import compile_mock
from .operation import Arguments, Call, Operation, Result
from .plugins import Plugins
from .resolve import Caller, ambiguous, candidates, narrow, nothing_named
from .shaping import compile_outputs, outputs_schema
from .units import Inject, compile_check, compile_inject, compile_preview, wire


class OperationCompiler:
    """Compiles the operations of one exposer; what is wrong with them is noted in the declaration."""

    def __init__(
        self,
        declaration: Declaration,
        plugins: Plugins,
        consumed: Sequence[ConsumedOperation],
        gate: Gate,
        *,
        streams: bool,
    ) -> None:
        self._declaration = declaration
        self._plugins = plugins
        self._consumed = consumed
        self._gate = gate
        self._streams = streams

    def compile(self, spec: OperationSpec, caller: Caller) -> Operation | None:
        """The operation, or None when it cannot run and the reason is noted."""
        modes = [mode for mode in ("ref", "call", "steps") if getattr(spec, mode)]
        if len(modes) > 1:
            self._problem(f"an operation has one mode; this has {' and '.join(modes)}", spec, code="modes")
        elif modes == ["call"]:
            return self._call(spec, caller)
        elif modes:
            self._problem(f"'{modes[0]}' is not supported by this version", spec, modes[0], code="unsupported")
        elif mock := compile_mock(spec, self._declaration):
            return self._composed(Operation(_name(spec), spec.description, mock.inputs, mock.call, spec))
        else:
            message = "the operation does nothing: it has no 'call' and no output with a 'value'"
            self._problem(message, spec, code="modes")
        return None

    def _call(self, spec: OperationSpec, caller: Caller) -> Operation | None:
        call = spec.call or ""
        found = narrow(candidates(call, self._consumed), caller)
        if len(found) != 1:
            message = ambiguous(call, found) if found else nothing_named(call, self._consumed)
            self._problem(message, spec, "call", code="ambiguous-call" if found else "unknown-call")
            return None
        return self._composed(self._calling(found[0], spec))

    def _calling(self, target: ConsumedOperation, spec: OperationSpec) -> Operation:
        wiring = wire(spec, target, self._declaration)
        shape = compile_outputs(spec.output_parameters, self._declaration)
        inject, preview = compile_inject(wiring), compile_preview(wiring)
        check = compile_check(wiring.inputs)
        return Operation(
            name=_name(spec),
            description=spec.description or target.description,
            inputs=wiring.inputs,
            call=_runner(target, inject, shape, streams=self._streams and shape is None),
            spec=spec,
            upstream=(target,),
            identity=shape is None,
            output_schema=outputs_schema(spec.output_parameters),
            preview=lambda arguments: target.preview(preview(check(arguments))),
        )

    def _composed(self, operation: Operation) -> Operation:
        """The operation with the plugins' wrappers, the check of its arguments and the gate around its call."""
        call = operation.call
        for wrap in reversed(self._plugins.ask("operation_wrapper", operation=operation)):
            call = wrap(call)
        return replace(operation, call=guarded(call, compile_check(operation.inputs), self._gate))

    def _problem(self, message: str, spec: OperationSpec, *keys: str, code: str) -> None:
        self._declaration.problem(message, self._declaration.loc(spec, *keys), code=code)


def _name(spec: OperationSpec) -> str:
    return spec.name or spec.label or (spec.call or spec.ref or "operation").rsplit(".", 1)[-1]


def _runner(target: ConsumedOperation, inject: Inject, shape: Callable[[Any], Any] | None, *, streams: bool) -> Call:
    call = target.call

    async def run(arguments: Arguments) -> Result:
        result = await call(inject(arguments), stream=streams)
        if result.status >= 300:
            raise UpstreamStatus(result.status, result.body, result.media_type, result.headers)
        if shape is None or not result.body:
            return result
        return Result(status=result.status, data=shape(result.data), headers=result.headers)

    return run
