"""Steps: an operation that is several calls and lookups, compiled once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.spec import CallStepSpec, LookupStepSpec, OperationSpec, StepSpec
from adapter_host.compiler.arguments import (
    ArgumentBinding,
    ArgumentMapper,
    bind_arguments,
    compile_mapper,
    compile_preview,
)
from adapter_host.compiler.outputs import compile_refinement
from adapter_host.compiler.response_limits import ResponseLimit, ResponsePolicy, compile_response_limit
from adapter_host.compiler.scope import Getter, Value, Values, compile_getter, is_input
from adapter_host.errors import ArgumentError, UpstreamInvalidError
from adapter_host.expressions.template import ABSENT, Reference
from adapter_host.operation.inputs import Input
from adapter_host.operation.operation import Call, ConsumedOperation, Result, success
from adapter_host.plugin.step_type import StepType

from .flow import Step, Work
from .lookup import compile_lookup
from .scope import StepScope

FindTarget = Callable[[CallStepSpec], ConsumedOperation | None]


WrapStep = Callable[[StepSpec, OperationSpec, Work], Work]


FindType = Callable[[str], StepType[Any]]


@dataclass(frozen=True, slots=True)
class StepTools:
    """What the steps of all operations are compiled with: what plugins put around each, and what does their types."""

    wrap: WrapStep
    find_type: FindType


_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True)
class StepCall:
    """The call of a step: what it calls, with what, and whether that is known before any step has run."""

    name: str
    target: ConsumedOperation
    binding: ArgumentBinding
    waits_for: frozenset[str]

    def preview(self, values: Values) -> dict[str, Any]:
        """The request that it makes, as far as what a call begins with tells."""
        shown: dict[str, Any] = {"step": self.name, "operation": f"{self.target.namespace}.{self.target.name}"}
        if self.waits_for:
            return {**shown, "waits_for": sorted(self.waits_for)}
        return {**shown, **self.target.preview(compile_preview(self.binding, None)(values))}


class StepCompiler:
    """Compiles the steps of one operation; `scope` then knows what may be taken of them."""

    def __init__(
        self,
        spec: OperationSpec,
        loaded: LoadedCapability,
        find: FindTarget,
        tools: StepTools,
        response_policy: ResponsePolicy,
    ) -> None:
        self.scope = StepScope(spec, loaded)
        # What a step gives is held, for others to take of it.
        self._response_policy = replace(response_policy, streams=False)
        self.calls: list[StepCall] = []
        self._spec = spec
        self._declaration = loaded
        self._find = find
        self._tools = tools
        self._writes = frozenset[str]()

    def compile(self) -> list[Step]:
        """The steps; what is wrong is reported, and without a mended document they are not to be run."""
        steps: list[Step] = []
        self.scope.give(self._spec)
        for index, spec in enumerate(self._spec.steps):
            if any(spec.name == other.name for other in self._spec.steps[:index]):
                loc = self._declaration.loc(spec, "name")
                self._declaration.problem(f"two steps are named '{spec.name}'", loc, code="duplicate-step")
            self.scope.known, self.scope.needed = index, set()
            work = self._work(spec)
            if work is not None:
                work = self._tools.wrap(spec, self._spec, work)
                steps.append(Step(spec.name, work, self.scope.taken[spec.name], self._after(spec, steps)))
        self.scope.known = len(self._spec.steps)
        return steps

    @property
    def last(self) -> ConsumedOperation | None:
        """What the last step calls, if the answers of that are bytes: they are the operation's."""
        ended = bool(self.calls) and self.calls[-1].name == self._spec.steps[-1].name
        return self.calls[-1].target if ended and self.calls[-1].target.binary else None

    def inferred(self) -> list[Mapping[str, Input]]:
        """What the consumed operations say of the values that callers give."""
        maps = [call.binding.inferred for call in self.calls]
        called = [{name: given for name, given in found.items() if is_input(name)} for found in maps]
        return [*called, {name: Input(name) for name in sorted(filter(is_input, self.scope.used))}]

    def _after(self, spec: StepSpec, earlier: Sequence[Step]) -> frozenset[str]:
        """The steps that one waits for: what writes keeps its place among all of them."""
        needed = frozenset(self.scope.needed) | self._writes
        if self._is_write(spec):
            self._writes = frozenset({spec.name})
            return needed | {step.name for step in earlier}
        return needed

    def _is_write(self, spec: StepSpec) -> bool:
        if isinstance(spec, CallStepSpec):
            return self.calls[-1].target.method in _WRITES
        return not isinstance(spec, LookupStepSpec) and self._tools.find_type(spec.type).writes

    def _work(self, spec: StepSpec) -> Work | None:
        if isinstance(spec, CallStepSpec):
            return self._call(spec)
        if isinstance(spec, LookupStepSpec):
            return self._lookup(spec)
        return self._plugged(spec)

    def _call(self, spec: CallStepSpec) -> Work | None:
        target = self._find(spec)
        if target is None:
            return None
        binding = bind_arguments(self.scope, spec, target)
        if target.binary:
            self.scope.binary.add(spec.name)
        self.calls.append(StepCall(spec.name, target, binding, frozenset(self.scope.needed)))
        return _calling(target, compile_mapper(binding, None), self._handling(target), _derived(binding))

    def _handling(self, target: ConsumedOperation) -> _ResponseHandling:
        if not target.binary:
            return _ResponseHandling(compile_refinement(target.outputs, self._declaration))
        return _ResponseHandling(
            None, compile_response_limit(target, self._response_policy), self._response_policy.takes_stream(target)
        )

    def _plugged(self, spec: StepSpec) -> Work | None:
        step_type = self._tools.find_type(spec.type)
        context = self.scope.context(self._declaration.loc(spec)) if step_type.takes_context else None
        given = {key: compile_getter(self._given(spec, key, value)) for key, value in spec.with_.items()}
        call = step_type.compile(spec)
        return None if call is None else _working(call, given, context)

    def _given(self, spec: StepSpec, key: str, value: Any) -> Value:
        """What a value of `with` stands for: an input that goes under its own name needs no more than that name."""
        if value == key and key in self.scope.declared:
            self.scope.used.add(key)
            return Reference(key)
        return self.scope.meaning(value, self._declaration.loc(spec, "with", key))

    def _lookup(self, spec: LookupStepSpec) -> Work:
        if spec.with_:
            loc = self._declaration.loc(spec, "with")
            self._declaration.problem("a lookup takes no 'with'", loc, code="ignored", warning=True, key=True)
        loc = self._declaration.loc(spec, "index")
        index = self.scope.path(spec.index, loc) if spec.index.startswith("$") else self.scope.take(spec.index, "", loc)
        meaning = self.scope.meaning(spec.lookup_value, self._declaration.loc(spec, "lookupValue"))
        wanted = compile_getter(meaning)
        look_up = compile_lookup(spec.match, spec.output_parameters)

        async def work(values: Values) -> Result:
            return Result(data=look_up(values.get(index), wanted(values)))

        return work


def _derived(binding: ArgumentBinding) -> frozenset[str]:
    """The inputs that come of earlier steps alone."""
    sources = {name: (source,) for name, source in binding.references.items()}
    composed = {name: template.inputs for name, template in binding.templates.items() if template.inputs}
    return frozenset(name for name, given in {**sources, **composed}.items() if all(name[:1] == "$" for name in given))


def _working(call: Call, given: Mapping[str, Getter], context: Getter | None) -> Work:
    async def work(values: Values) -> Result:
        arguments = {} if context is None else context(values)
        for key, take in given.items():
            if (value := take(values)) is not ABSENT:
                arguments[key] = value
        return await call(arguments)

    return work


@dataclass(frozen=True, slots=True)
class _ResponseHandling:
    """What becomes of the answer of a step's call; `stream` is whether a stream of it is asked for."""

    refine: Callable[[Any], Any] | None = None
    limit: ResponseLimit | None = None
    stream: bool = False


def _calling(
    target: ConsumedOperation, map_arguments: ArgumentMapper, treatment: _ResponseHandling, derived: Iterable[str]
) -> Work:
    refine, limit, stream = treatment.refine, treatment.limit, treatment.stream

    async def work(values: Values) -> Result:
        try:
            result = await target.call(map_arguments(values), stream=stream)
        except ArgumentError as error:
            if error.parameter in derived:
                raise UpstreamInvalidError(f"{error.message} (an earlier step gives it)") from error
            raise
        if limit is None:
            return success(result, refine)
        return await limit(success(result))

    return work
