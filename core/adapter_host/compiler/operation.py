"""Compiling one operation: its references resolved, its inputs wired, its call composed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.media_types import is_json
from adapter_host.capability.model import Model
from adapter_host.capability.spec import CallStepSpec, FunctionSpec, OperationSpec, OutputSpec
from adapter_host.operation.inputs import Input
from adapter_host.operation.operation import JSON, Arguments, Call, ConsumedOperation, Operation, Result, success

from .arguments import (
    ArgumentMapper,
    bind_arguments,
    compile_mapper,
    compile_preview,
    compile_validator,
    operation_inputs,
)
from .constant import compile_constant
from .outputs import Transform, compile_outputs, outputs_schema
from .references import Caller, Functions, ambiguous_operation_message, best_matches, matches, unknown_operation_message
from .response_limits import ResponsePolicy, compile_response_limit, with_media_type
from .scope import Scope
from .steps.compiler import StepCompiler, StepTools
from .steps.flow import compile_flow
from .steps.mappings import Finish, compile_finish, finished_schema

Outputs = Sequence[OutputSpec]


class OperationCompiler:
    """Compiles operations; what is wrong with them is noted in the declaration."""

    def __init__(
        self,
        loaded: LoadedCapability,
        consumed: Sequence[ConsumedOperation],
        functions: Functions,
        step_tools: StepTools,
        response_policy: ResponsePolicy | None = None,
    ) -> None:
        self._declaration = loaded
        self._consumed = consumed
        self._functions = functions
        self._step_tools = step_tools
        self._response_policy = response_policy or ResponsePolicy()

    def compile(self, spec: OperationSpec, caller: Caller) -> Operation | None:
        """The operation, or None when it cannot run and the reason is noted."""
        return self._compile(spec, caller, spec.output_parameters)

    def check(self, function: FunctionSpec) -> None:
        """Note what is wrong with a function."""
        self._compile(function, _own_caller(function), function.output_parameters)

    def _compile(self, spec: OperationSpec, caller: Caller, outputs: Outputs) -> Operation | None:
        modes = [mode for mode in ("ref", "call", "steps") if getattr(spec, mode)]
        if spec.mappings and "steps" not in modes:
            self._warn("'mappings' are of 'steps' alone, so these are ignored", spec, "mappings", code="ignored")
        if len(modes) > 1:
            self._problem(f"an operation has one mode; this has {' and '.join(modes)}", spec, code="modes")
        elif modes == ["call"]:
            return self._call(spec, caller, outputs)
        elif modes == ["steps"]:
            return self._steps(spec, outputs)
        elif modes == ["ref"]:
            return self._refer(spec)
        else:
            return self._mock(spec, outputs)
        return None

    def _call(self, spec: OperationSpec, caller: Caller, outputs: Outputs) -> Operation | None:
        target = self._find(spec, caller)
        if target is None:
            return None
        scope = Scope(spec.input_parameters, self._declaration)
        binding = bind_arguments(scope, spec, target)
        scope.warn_idle()
        inputs = operation_inputs(scope, binding.inferred)
        shape = self._shape(target, outputs)
        map_arguments, preview = compile_mapper(binding, inputs), compile_preview(binding, inputs)
        check = compile_validator(inputs)
        return Operation(
            name=spec.known_as,
            description=spec.description or target.description,
            inputs=inputs,
            call=_runner(target, map_arguments, shape, self._response_policy),
            spec=spec,
            upstream=(target,),
            identity=shape is None,
            media_type=_media_type(target, mapped=shape is not None),
            binary=target.binary,
            output_schema=None if target.binary else outputs_schema(outputs),
            preview=lambda arguments: target.preview(preview(check(arguments))),
        )

    def _shape(self, target: ConsumedOperation, outputs: Outputs) -> Transform | None:
        shape = compile_outputs(outputs, self._declaration)
        if not target.binary or shape is None:
            return shape
        self._warn_binary(target, outputs[0], "outputParameters")
        return None

    def _warn_binary(self, target: ConsumedOperation, ignored: Model, key: str) -> None:
        message = f"'{target.namespace}.{target.name}' answers bytes, of which nothing is mapped: '{key}' is ignored"
        self._declaration.problem(message, self._declaration.loc(ignored), code="ignored", warning=True)

    def _steps(self, spec: OperationSpec, outputs: Outputs) -> Operation | None:
        compiler = StepCompiler(spec, self._declaration, self._find_step, self._step_tools, self._response_policy)
        steps = compiler.compile()
        last = compiler.last
        finish = self._finish(spec, outputs, compiler)
        compiler.scope.warn_idle()
        if len(steps) < len(spec.steps):
            return None
        inputs = operation_inputs(compiler.scope, *compiler.inferred())
        flow, check, calls = compile_flow(steps), compile_validator(inputs), tuple(compiler.calls)

        async def run(arguments: Arguments) -> Result:
            values = compiler.scope.values(arguments)
            return finish(values, await flow(values))

        def preview(arguments: Arguments) -> dict[str, Any]:
            values = compiler.scope.preview(check(arguments))
            return {"steps": [call.preview(values) for call in calls]}

        return Operation(
            name=spec.known_as,
            description=spec.description,
            inputs=inputs,
            call=run,
            spec=spec,
            upstream=tuple(call.target for call in calls),
            identity=last is not None,
            media_type=last.media_type if last else None,
            binary=last is not None,
            output_schema=None if last else finished_schema(outputs),
            preview=preview,
        )

    def _finish(self, spec: OperationSpec, outputs: Outputs, compiler: StepCompiler) -> Finish:
        last = compiler.last
        if last is None:
            return compile_finish(spec, outputs, compiler.scope)
        for ignored, key in ((spec.mappings, "mappings"), (outputs, "outputParameters")):
            if ignored:
                self._warn_binary(last, ignored[0], key)
        return lambda values, result: result

    def _refer(self, spec: OperationSpec) -> Operation | None:
        ref = spec.ref or ""
        function = self._functions.find(ref)
        if isinstance(spec, FunctionSpec):
            message = (
                f"a {self._declaration.source.word('function')} does its work itself; 'ref' belongs to what is exposed"
            )
            self._problem(message, spec, "ref", code="function-ref")
            return None
        if function is None:
            self._problem(self._functions.unknown(ref), spec, "ref", code="unknown-ref")
            return None
        own = self._compile(function, _own_caller(function), spec.output_parameters or function.output_parameters)
        if own is None:
            return None
        scope = Scope(spec.input_parameters, self._declaration)
        binding = bind_arguments(scope, spec, _Function(ref, own.inputs))
        scope.warn_idle()
        inputs = operation_inputs(scope, binding.inferred)
        map_arguments, preview, check = (
            compile_mapper(binding, inputs),
            compile_preview(binding, inputs),
            compile_validator(inputs),
        )
        call, media_type = own.call, own.media_type
        if told := function.output_media_type:
            call, media_type = with_media_type(call, told, binary=own.binary), told
        return replace(
            own,
            name=spec.name or own.name,
            description=spec.description or own.description,
            inputs=inputs,
            call=lambda arguments: call(map_arguments(arguments)),
            spec=spec,
            semantics=function.semantics,
            media_type=media_type,
            preview=lambda arguments: own.preview(preview(check(arguments))),
        )

    def _mock(self, spec: OperationSpec, outputs: Outputs) -> Operation | None:
        mock = compile_constant(spec, outputs, self._declaration)
        mock = mock or compile_constant(spec, spec.output_parameters, self._declaration)
        if mock:
            return Operation(spec.known_as, spec.description, mock.inputs, mock.call, spec)
        message = "the operation does nothing: it has no 'call', 'steps' or 'ref' and no output with a 'value'"
        self._problem(message, spec, code="modes")
        return None

    def _find(self, spec: OperationSpec | CallStepSpec, caller: Caller) -> ConsumedOperation | None:
        call = spec.call or ""
        found = best_matches(matches(call, self._consumed), caller)
        if len(found) == 1:
            return found[0]
        message = ambiguous_operation_message(call, found) if found else unknown_operation_message(call, self._consumed)
        self._problem(message, spec, "call", code="ambiguous-call" if found else "unknown-call")
        return None

    def _find_step(self, spec: CallStepSpec) -> ConsumedOperation | None:
        return self._find(spec, Caller(keys=frozenset(spec.with_)))

    def _problem(self, message: str, spec: OperationSpec | CallStepSpec, *keys: str, code: str) -> None:
        self._declaration.problem(message, self._declaration.loc(spec, *keys), code=code)

    def _warn(self, message: str, spec: OperationSpec, key: str, *, code: str) -> None:
        self._declaration.problem(message, self._declaration.loc(spec, key), code=code, warning=True, key=True)


@dataclass(frozen=True, slots=True)
class _Function:
    """A function, as what a unit calls."""

    ref: str
    inputs: tuple[Input, ...]

    @property
    def namespace(self) -> str:
        return self.ref.rpartition(".")[0]

    @property
    def name(self) -> str:
        return self.ref.rpartition(".")[2]


def _own_caller(function: FunctionSpec) -> Caller:
    return Caller(keys=frozenset(function.with_), description=function.description)


def _media_type(target: ConsumedOperation, *, mapped: bool) -> str | None:
    """What the answers are told to be; what is mapped is JSON, whatever it was."""
    told = target.media_type
    return None if told is None or (mapped and not is_json(told)) else told


def _runner(
    target: ConsumedOperation, map_arguments: ArgumentMapper, shape: Transform | None, response_policy: ResponsePolicy
) -> Call:
    call = target.call
    limit = compile_response_limit(target, response_policy) if target.binary else None
    streams = response_policy.takes_stream(target) if target.binary else response_policy.streams and shape is None
    media_type = _media_type(target, mapped=True) or JSON

    async def run(arguments: Arguments) -> Result:
        result = await call(map_arguments(arguments), stream=streams)
        if limit is None:
            return success(result, shape, media_type)
        return await limit(success(result))

    return run
