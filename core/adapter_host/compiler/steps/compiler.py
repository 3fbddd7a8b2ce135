"""Compile the steps of an operation: calls, lookups and the step types of plugins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.spec import OperationSpec
from adapter_host.capability.step_specs import CallStepSpec, LookupStepSpec, StepSpec
from adapter_host.compiler.values.arguments import (
    ArgumentBinding,
    ArgumentMapper,
    bind_arguments,
    compile_mapper,
    compile_preview,
)
from adapter_host.compiler.values.outputs import compile_refinement
from adapter_host.compiler.values.response_limits import ResponseLimit, ResponsePolicy, compile_response_limit
from adapter_host.compiler.values.scope import Getter, Value, Values, compile_getter, is_input
from adapter_host.errors import ArgumentError, UpstreamInvalidError
from adapter_host.expressions.template import ABSENT, Reference
from adapter_host.operation.inputs import Input
from adapter_host.operation.operation import Call, ConsumedOperation
from adapter_host.operation.result import Result, success
from adapter_host.plugin.step_type import StepType

from .flow import Step, Work
from .lookup import compile_lookup
from .scope import StepScope

FindTarget = Callable[[CallStepSpec], ConsumedOperation | None]


WrapStep = Callable[[StepSpec, OperationSpec, Work], Work]


FindStepType = Callable[[str], StepType[Any]]


@dataclass(frozen=True, slots=True)
class StepTools:
    """The hooks of plugins for steps: the wrappers of each step, and the implementations of step types."""

    wrap: WrapStep
    find_type: FindStepType


_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True)
class StepCall:
    """The call of a step: its target, its arguments and the steps whose results they need."""

    name: str
    target: ConsumedOperation
    binding: ArgumentBinding
    waits_for: frozenset[str]

    def preview(self, values: Values) -> dict[str, Any]:
        """Return the request of the step, or the steps that it waits for."""
        preview: dict[str, Any] = {"step": self.name, "operation": f"{self.target.namespace}.{self.target.name}"}
        if self.waits_for:
            return {**preview, "waits_for": sorted(self.waits_for)}
        return {**preview, **self.target.preview(compile_preview(self.binding, None)(values))}


class StepCompiler:
    """Compiles the steps of one operation; afterwards `scope` resolves their results."""

    def __init__(
        self,
        spec: OperationSpec,
        loaded: LoadedCapability,
        find_target: FindTarget,
        tools: StepTools,
        response_policy: ResponsePolicy,
    ) -> None:
        self.scope = StepScope(spec, loaded)
        # The result of a step is buffered, as later steps read from it.
        self._response_policy = replace(response_policy, streams=False)
        self.calls: list[StepCall] = []
        self._spec = spec
        self._loaded = loaded
        self._find_target = find_target
        self._tools = tools
        self._writes = frozenset[str]()

    def compile(self) -> list[Step]:
        """Compile the steps and report their problems; with an error, steps may be missing."""
        steps: list[Step] = []
        self.scope.bind_with(self._spec)
        for index, spec in enumerate(self._spec.steps):
            if any(spec.name == other.name for other in self._spec.steps[:index]):
                loc = self._loaded.loc(spec, "name")
                self._loaded.problem(f"step name '{spec.name}' is used twice", loc, code="duplicate-step")
            self.scope.enter_step(index)
            work = self._compile_work(spec)
            if work is not None:
                work = self._tools.wrap(spec, self._spec, work)
                steps.append(Step(spec.name, work, self.scope.extractors[spec.name], self._steps_before(spec, steps)))
        self.scope.leave_steps()
        return steps

    @property
    def binary_target(self) -> ConsumedOperation | None:
        """The target of the last step, if it returns binary data: the result of the operation is the same."""
        ends_with_call = bool(self.calls) and self.calls[-1].name == self._spec.steps[-1].name
        return self.calls[-1].target if ends_with_call and self.calls[-1].target.binary else None

    def inferred(self) -> list[Mapping[str, Input]]:
        """Return the inputs of the operation, inferred from the targets of its steps."""
        maps = [call.binding.inferred for call in self.calls]
        called = [{name: item for name, item in by_name.items() if is_input(name)} for by_name in maps]
        return [*called, {name: Input(name) for name in sorted(filter(is_input, self.scope.used))}]

    def _steps_before(self, spec: StepSpec, earlier: Sequence[Step]) -> frozenset[str]:
        """Return the steps that a step waits for; a step that writes waits for all earlier ones."""
        dependencies = frozenset(self.scope.dependencies) | self._writes
        if self._is_write(spec):
            self._writes = frozenset({spec.name})
            return dependencies | {step.name for step in earlier}
        return dependencies

    def _is_write(self, spec: StepSpec) -> bool:
        if isinstance(spec, CallStepSpec):
            return self.calls[-1].target.method in _WRITES
        return not isinstance(spec, LookupStepSpec) and self._tools.find_type(spec.type).writes

    def _compile_work(self, spec: StepSpec) -> Work | None:
        if isinstance(spec, CallStepSpec):
            return self._compile_call(spec)
        if isinstance(spec, LookupStepSpec):
            return self._compile_lookup(spec)
        return self._compile_plugin_step(spec)

    def _compile_call(self, spec: CallStepSpec) -> Work | None:
        target = self._find_target(spec)
        if target is None:
            return None
        binding = bind_arguments(self.scope, spec, target)
        if target.binary:
            self.scope.binary_steps.add(spec.name)
        self.calls.append(StepCall(spec.name, target, binding, frozenset(self.scope.dependencies)))
        return _call_work(target, compile_mapper(binding, None), self._response_handling(target), _step_inputs(binding))

    def _response_handling(self, target: ConsumedOperation) -> _ResponseHandling:
        if not target.binary:
            return _ResponseHandling(compile_refinement(target.outputs, self._loaded))
        return _ResponseHandling(
            None, compile_response_limit(target, self._response_policy), self._response_policy.requests_stream(target)
        )

    def _compile_plugin_step(self, spec: StepSpec) -> Work | None:
        step_type = self._tools.find_type(spec.type)
        context = self.scope.compile_context(self._loaded.loc(spec)) if step_type.takes_context else None
        getters = {key: compile_getter(self._resolve_with(spec, key, value)) for key, value in spec.with_.items()}
        call = step_type.compile(spec)
        return None if call is None else _plugin_work(call, getters, context)

    def _resolve_with(self, spec: StepSpec, key: str, value: Any) -> Value:
        """Resolve a value of `with`; a declared input may be passed under its own name without a qualifier."""
        if value == key and key in self.scope.declared:
            self.scope.used.add(key)
            return Reference(key)
        return self.scope.resolve(value, self._loaded.loc(spec, "with", key))

    def _compile_lookup(self, spec: LookupStepSpec) -> Work:
        if spec.with_:
            loc = self._loaded.loc(spec, "with")
            self._loaded.problem("'with' is ignored in a lookup", loc, code="ignored", warning=True, key=True)
        loc = self._loaded.loc(spec, "index")
        index = (
            self.scope.resolve_path(spec.index, loc)
            if spec.index.startswith("$")
            else self.scope.extract_field(spec.index, loc)
        )
        lookup_value = self.scope.resolve(spec.lookup_value, self._loaded.loc(spec, "lookupValue"))
        get_lookup_value = compile_getter(lookup_value)
        look_up = compile_lookup(spec.match, spec.output_parameters)

        async def work(values: Values) -> Result:
            return Result(data=look_up(values.get(index), get_lookup_value(values)))

        return work


def _step_inputs(binding: ArgumentBinding) -> frozenset[str]:
    """Return the inputs of the target whose values come only from earlier steps."""
    references = {name: (source,) for name, source in binding.references.items()}
    composed = {name: template.inputs for name, template in binding.templates.items() if template.inputs}
    return frozenset(
        name for name, sources in {**references, **composed}.items() if all(name[:2] == "$." for name in sources)
    )


def _plugin_work(call: Call, getters: Mapping[str, Getter], context: Getter | None) -> Work:
    async def work(values: Values) -> Result:
        arguments = {} if context is None else context(values)
        for key, getter in getters.items():
            if (value := getter(values)) is not ABSENT:
                arguments[key] = value
        return await call(arguments)

    return work


@dataclass(frozen=True, slots=True)
class _ResponseHandling:
    """The processing of the response of a step's call; `stream` is whether a stream is requested."""

    refine: Callable[[Any], Any] | None = None
    limit: ResponseLimit | None = None
    stream: bool = False


def _call_work(
    target: ConsumedOperation, map_arguments: ArgumentMapper, handling: _ResponseHandling, from_steps: Iterable[str]
) -> Work:
    refine, limit, stream = handling.refine, handling.limit, handling.stream

    async def work(values: Values) -> Result:
        try:
            result = await target.call(map_arguments(values), stream=stream)
        except ArgumentError as error:
            if error.parameter in from_steps:
                raise UpstreamInvalidError(f"{error.message} (value from an earlier step)") from error
            raise
        if limit is None:
            return success(result, refine)
        return await limit(success(result))

    return work
