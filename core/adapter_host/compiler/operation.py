"""Compile one operation: resolve its references, bind its inputs, compose its call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.model import Model
from adapter_host.capability.spec import FunctionSpec, OperationSpec, OutputSpec
from adapter_host.capability.step_specs import CallStepSpec
from adapter_host.document.messages import join_words
from adapter_host.operation.inputs import Input
from adapter_host.operation.operation import Arguments, ConsumedOperation, Operation
from adapter_host.operation.result import Result

from .calls import compile_call, declared_media_type, returns_events
from .constant import compile_constant
from .references import (
    Caller,
    Functions,
    OperationIndex,
    ambiguous_operation_message,
    best_matches,
    unknown_operation_message,
)
from .steps.caching import with_caching_headers
from .steps.compiler import StepCompiler, StepTools
from .steps.flow import compile_flow
from .steps.mappings import Finish, compile_finish, describe_steps_result
from .values.argument_checks import compile_validator
from .values.arguments import (
    ArgumentMapper,
    bind_arguments,
    compile_mapper,
    compile_preview,
    operation_inputs,
)
from .values.coercion import Transform
from .values.output_schemas import ResultSchema, describe_declared, describe_passed_through, describe_results
from .values.outputs import compile_outputs
from .values.response_limits import ResponsePolicy, with_media_type
from .values.scope import Scope

Outputs = Sequence[OutputSpec]


class OperationCompiler:
    """Compiles operations and reports their problems."""

    def __init__(
        self,
        loaded: LoadedCapability,
        consumed: Sequence[ConsumedOperation],
        functions: Functions,
        step_tools: StepTools,
        response_policy: ResponsePolicy | None = None,
    ) -> None:
        self._loaded = loaded
        self._consumed = consumed
        self._index = OperationIndex(consumed)
        self._functions = functions
        self._step_tools = step_tools
        self._response_policy = response_policy or ResponsePolicy()

    def compile(self, spec: OperationSpec, caller: Caller) -> Operation | None:
        """Compile an operation; return None when it cannot run and a problem is reported."""
        return self._compile(spec, caller, spec.output_parameters, reads_events=spec.reads_events)

    def check(self, function: FunctionSpec) -> None:
        """Report problems of a function."""
        self._compile(function, _function_caller(function), function.output_parameters, reads_events=False)

    def _compile(
        self, spec: OperationSpec, caller: Caller, outputs: Outputs, *, reads_events: bool
    ) -> Operation | None:
        modes = [mode for mode in ("ref", "call", "steps") if getattr(spec, mode)]
        if spec.mappings and "steps" not in modes:
            self._warn("'mappings' is ignored without 'steps'", spec, "mappings", code="ignored")
        if len(modes) > 1:
            self._problem(f"{join_words(map(repr, modes), 'and')} are mutually exclusive", spec, code="modes")
        elif modes == ["call"]:
            return self._compile_call(spec, caller, outputs, reads_events=reads_events)
        elif modes == ["steps"]:
            return self._compile_steps(spec, outputs)
        elif modes == ["ref"]:
            return self._compile_ref(spec)
        else:
            return self._compile_constant(spec, outputs)
        return None

    def _compile_call(
        self, spec: OperationSpec, caller: Caller, outputs: Outputs, *, reads_events: bool
    ) -> Operation | None:
        target = self._find_target(spec, caller)
        if target is None:
            return None
        scope = Scope(spec.input_parameters, self._loaded)
        binding = bind_arguments(scope, spec, target)
        scope.warn_unused()
        inputs = operation_inputs(scope, binding.inferred)
        transform = self._transform(target, outputs)
        map_arguments = _after(scope.values, compile_mapper(binding, inputs), scope)
        preview = _after(scope.preview, compile_preview(binding, inputs), scope)
        validate = compile_validator(inputs)
        described = _describe_result(target, outputs, mapped=transform is not None)
        return Operation(
            name=spec.known_as,
            description=spec.description or target.description,
            inputs=inputs,
            call=compile_call(target, map_arguments, transform, self._response_policy, reads_events=reads_events),
            spec=spec,
            upstream=(target,),
            identity=transform is None,
            media_type=declared_media_type(target, mapped=transform is not None),
            binary=target.binary,
            output_schema=described.schema,
            preview=lambda arguments: target.preview(preview(validate(arguments))),
            result_schema=described.checked,
        )

    def _transform(self, target: ConsumedOperation, outputs: Outputs) -> Transform | None:
        transform = compile_outputs(outputs, self._loaded)
        if not target.binary or transform is None:
            return transform
        self._warn_binary(target, outputs[0], "outputParameters")
        return None

    def _warn_binary(self, target: ConsumedOperation, ignored: Model, key: str) -> None:
        message = f"'{key}' is ignored: '{target.namespace}.{target.name}' returns binary data"
        self._loaded.problem(message, self._loaded.loc(ignored), code="ignored", warning=True)

    def _compile_steps(self, spec: OperationSpec, outputs: Outputs) -> Operation | None:
        compiler = StepCompiler(spec, self._loaded, self._find_step_target, self._step_tools, self._response_policy)
        steps = compiler.compile()
        binary_target = compiler.binary_target
        finish = self._finish(spec, outputs, compiler)
        compiler.scope.warn_unused()
        if len(steps) < len(spec.steps):
            return None
        inputs = operation_inputs(compiler.scope, *compiler.inferred())
        flow, validate, calls = compile_flow(steps), compile_validator(inputs), tuple(compiler.calls)

        async def run(arguments: Arguments) -> Result:
            values = compiler.scope.values(arguments)
            results = await flow(values)
            return with_caching_headers(finish(values, results[-1]), results)

        def preview(arguments: Arguments) -> dict[str, Any]:
            values = compiler.scope.preview(validate(arguments))
            return {"steps": [call.preview(values) for call in calls]}

        described = ResultSchema() if binary_target else describe_steps_result(outputs)
        return Operation(
            name=spec.known_as,
            description=spec.description,
            inputs=inputs,
            call=run,
            spec=spec,
            upstream=tuple(call.target for call in calls),
            identity=binary_target is not None,
            media_type=binary_target.media_type if binary_target else None,
            binary=binary_target is not None,
            output_schema=described.schema,
            preview=preview,
            result_schema=described.checked,
        )

    def _finish(self, spec: OperationSpec, outputs: Outputs, compiler: StepCompiler) -> Finish:
        binary_target = compiler.binary_target
        if binary_target is None:
            return compile_finish(spec, outputs, compiler.scope)
        for ignored, key in ((spec.mappings, "mappings"), (outputs, "outputParameters")):
            if ignored:
                self._warn_binary(binary_target, ignored[0], key)
        return lambda values, result: result

    def _compile_ref(self, spec: OperationSpec) -> Operation | None:
        ref = spec.ref or ""
        function = self._functions.find(ref)
        if isinstance(spec, FunctionSpec):
            term = self._loaded.source.term("function")
            message = f"'ref' is not allowed in a {term}; use it in an exposed operation"
            self._problem(message, spec, "ref", code="function-ref")
            return None
        if function is None:
            self._problem(self._functions.unknown_message(ref), spec, "ref", code="unknown-ref")
            return None
        operation = self._compile(
            function,
            _function_caller(function),
            spec.output_parameters or function.output_parameters,
            reads_events=spec.reads_events,
        )
        if operation is None:
            return None
        scope = Scope(spec.input_parameters, self._loaded)
        binding = bind_arguments(scope, spec, _FunctionTarget(ref, operation.inputs))
        scope.warn_unused()
        inputs = operation_inputs(scope, binding.inferred)
        map_arguments = _after(scope.values, compile_mapper(binding, inputs), scope)
        preview = _after(scope.preview, compile_preview(binding, inputs), scope)
        validate = compile_validator(inputs)
        call, media_type = operation.call, operation.media_type
        if declared := function.output_media_type:
            call, media_type = with_media_type(call, declared, binary=operation.binary), declared
        return replace(
            operation,
            name=spec.name or operation.name,
            description=spec.description or operation.description,
            inputs=inputs,
            call=lambda arguments: call(map_arguments(arguments)),
            spec=spec,
            semantics=function.semantics,
            media_type=media_type,
            preview=lambda arguments: operation.preview(preview(validate(arguments))),
        )

    def _compile_constant(self, spec: OperationSpec, outputs: Outputs) -> Operation | None:
        constant = compile_constant(spec, outputs, self._loaded)
        constant = constant or compile_constant(spec, spec.output_parameters, self._loaded)
        if constant:
            return Operation(spec.known_as, spec.description, constant.inputs, constant.call, spec)
        message = "the operation has none of 'call', 'steps', 'ref' and an output with 'value'; add one"
        self._problem(message, spec, code="modes")
        return None

    def _find_target(self, spec: OperationSpec | CallStepSpec, caller: Caller) -> ConsumedOperation | None:
        call = spec.call or ""
        candidates = best_matches(self._index.find(call), caller)
        if not candidates:
            self._problem(unknown_operation_message(call, self._consumed), spec, "call", code="unknown-call")
        elif len(candidates) > 1:
            self._problem(ambiguous_operation_message(call, candidates), spec, "call", code="ambiguous-call")
        elif refusal := candidates[0].refusal:
            self._problem(f"'{call}' cannot be called: {refusal}", spec, "call", code="refused-call")
        else:
            return candidates[0]
        return None

    def _find_step_target(self, spec: CallStepSpec) -> ConsumedOperation | None:
        return self._find_target(spec, Caller(keys=frozenset(spec.with_)))

    def _problem(self, message: str, spec: OperationSpec | CallStepSpec, *keys: str, code: str) -> None:
        self._loaded.problem(message, self._loaded.loc(spec, *keys), code=code)

    def _warn(self, message: str, spec: OperationSpec, key: str, *, code: str) -> None:
        self._loaded.problem(message, self._loaded.loc(spec, key), code=code, warning=True, key=True)


@dataclass(frozen=True, slots=True)
class _FunctionTarget:
    """A function as the target of a call."""

    ref: str
    inputs: tuple[Input, ...]

    @property
    def namespace(self) -> str:
        return self.ref.rpartition(".")[0]

    @property
    def name(self) -> str:
        return self.ref.rpartition(".")[2]


def _after(values: ArgumentMapper, mapper: ArgumentMapper, scope: Scope) -> ArgumentMapper:
    """Return a mapper of all values of a call, where the scope computes any."""
    return (lambda arguments: mapper(values(arguments))) if scope.bound else mapper


def _function_caller(function: FunctionSpec) -> Caller:
    return Caller(keys=frozenset(function.with_), description=function.description)


def _describe_result(target: ConsumedOperation, outputs: Outputs, *, mapped: bool) -> ResultSchema:
    if target.binary or returns_events(target):
        return ResultSchema()
    described = describe_results(outputs)
    if described.schema is not None or mapped:
        return described
    described = describe_passed_through(target.outputs)
    return described if described.schema is not None else describe_declared(target.output_schema)
