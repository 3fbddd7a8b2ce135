"""A capability compiled: adapters made, references resolved, operations composed. Nothing is started."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from .adapters import ConsumedOperation, Consumer, Exposer, Provision
from .auth import Credentials, compile_credentials
from .capability import ExposerConfig, Model, OperationSpec, walk
from .declaration import Declaration
from .document.source import Loc
from .errors import PluginError, ProblemsError, UpstreamStatus
from .mocks import compile_mock
from .operation import Arguments, Call, Gate, Operation, Operations, Result
from .plugins import Plugins
from .resolve import Caller, ambiguous, candidates, narrow, nothing_named
from .settings import Settings
from .shaping import compile_outputs, outputs_schema
from .units import Inject, compile_check, compile_inject, wire

AdapterT = TypeVar("AdapterT")


@dataclass(frozen=True, slots=True)
class ExposerPlan:
    """An exposer and who may call it."""

    exposer: Exposer[Any]
    credentials: Credentials | None


@dataclass(frozen=True, slots=True)
class Plan:
    """One capability, ready to be started; `gate` counts the calls of the whole host generation."""

    declaration: Declaration
    consumers: tuple[Consumer[Any], ...]
    consumed: tuple[ConsumedOperation, ...]
    exposers: tuple[ExposerPlan, ...]
    gate: Gate


def build(declaration: Declaration, plugins: Plugins, settings: Settings, gate: Gate) -> Plan:
    """Compile a capability; raises `ProblemsError` with everything that is wrong with it."""
    for found in plugins.ask("check_capability", declaration=declaration):
        declaration.problems.extend(found or ())
    return _Builder(declaration, plugins, settings, gate).plan()


class _Builder:
    """What the steps of one build share."""

    def __init__(self, declaration: Declaration, plugins: Plugins, settings: Settings, gate: Gate) -> None:
        self._declaration = declaration
        self._plugins = plugins
        self._settings = settings
        self._gate = gate
        self._consumed: tuple[ConsumedOperation, ...] = ()

    def plan(self) -> Plan:
        consumers = tuple(self._consumers())
        exposers = tuple(self._exposers())
        if self._declaration.errors:
            raise ProblemsError(self._declaration.problems)
        return Plan(self._declaration, consumers, self._consumed, exposers, self._gate)

    def _consumers(self) -> list[Consumer[Any]]:
        consumers = []
        for config in self._declaration.capability.consumes:
            with _Trial(self._declaration, self._settings.skip_invalid) as trial:
                adapter = self._plugins.consumers[config.type]
                consumer = _construct(adapter, config, self._provision(config.namespace))
                operations = tuple(consumer.operations())
            if not trial.failed:
                consumers.append(consumer)
                self._consumed += operations
        return consumers

    def _provision(self, namespace: str) -> Provision:
        return Provision(self._declaration, self._settings, namespace)

    def _exposers(self) -> Iterator[ExposerPlan]:
        for config in self._declaration.capability.exposes:
            with _Trial(self._declaration, self._settings.skip_invalid) as trial:
                credentials = compile_credentials(config.authentication, self._provision(config.namespace))
            # What cannot check its callers is never served, not even in part.
            if not trial.failed:
                yield self._exposer(config, credentials)

    def _exposer(self, config: ExposerConfig, credentials: Credentials | None) -> ExposerPlan:
        adapter = self._plugins.exposers[config.type]
        operations = []
        for spec, caller in _units(config):
            with _Trial(self._declaration, self._settings.skip_invalid) as trial:
                operation = self._operation(spec, caller, streams=adapter.streams)
            if operation and not trial.failed:
                operations.append(operation)
        with _Trial(self._declaration, self._settings.skip_invalid):
            exposer = _construct(adapter, config, Operations(operations), self._provision(config.namespace))
        return ExposerPlan(exposer, credentials)

    def _operation(self, spec: OperationSpec, caller: Caller, *, streams: bool) -> Operation | None:
        modes = [mode for mode in ("ref", "call", "steps") if getattr(spec, mode)]
        if len(modes) > 1:
            self._problem(f"an operation has one mode; this has {' and '.join(modes)}", spec, code="modes")
        elif modes == ["call"]:
            return self._call(spec, caller, streams=streams)
        elif modes:
            self._problem(f"'{modes[0]}' is not supported by this version", spec, modes[0], code="unsupported")
        elif mock := compile_mock(spec, self._declaration):
            inputs = tuple(mock.inputs)
            return self._composed(Operation(_name(spec), spec.description, inputs, mock.call, spec))
        else:
            message = "the operation does nothing: it has no 'call' and no output with a 'value'"
            self._problem(message, spec, code="modes")
        return None

    def _call(self, spec: OperationSpec, caller: Caller, *, streams: bool) -> Operation | None:
        call = spec.call or ""
        found = narrow(candidates(call, self._consumed), caller)
        if len(found) != 1:
            message = ambiguous(call, found) if found else nothing_named(call, self._consumed)
            self._problem(message, spec, "call", code="ambiguous-call" if found else "unknown-call")
            return None
        target = found[0]
        wiring = wire(spec, target, self._declaration)
        shape = compile_outputs(spec.output_parameters, self._declaration)
        inject = compile_inject(wiring)
        check = compile_check(wiring.inputs)
        operation = Operation(
            name=_name(spec),
            description=spec.description or target.description,
            inputs=tuple(wiring.inputs),
            call=_runner(target, inject, shape, streams=streams and shape is None),
            spec=spec,
            upstream=(target,),
            identity=shape is None,
            output_schema=outputs_schema(spec.output_parameters),
            preview=lambda arguments: target.preview(inject(check(arguments))),
        )
        return self._composed(operation)

    def _composed(self, operation: Operation) -> Operation:
        """The operation with the plugins' wrappers, the check of its arguments and the gate around its call."""
        call = operation.call
        for wrap in reversed(self._plugins.ask("operation_wrapper", operation=operation)):
            call = wrap(call)
        return replace(operation, call=_guarded(call, compile_check(operation.inputs), self._gate))

    def _problem(self, message: str, spec: OperationSpec, *keys: str, code: str) -> None:
        self._declaration.problem(message, self._declaration.loc(spec, *keys), code=code)


class _Trial:
    """Notes whether a part of a build failed; when parts may be skipped, its problems become warnings."""

    def __init__(self, declaration: Declaration, skip: bool) -> None:
        self._declaration = declaration
        self._skip = skip
        self.failed = False

    def __enter__(self) -> _Trial:
        self._before = len(self._declaration.problems)
        return self

    def __exit__(self, *_: object) -> None:
        problems = self._declaration.problems
        for index in range(self._before, len(problems)):
            if not problems[index].warning:
                self.failed = True
                if self._skip:
                    message = f"skipped: {problems[index].message}"
                    problems[index] = replace(problems[index], message=message, warning=True)


def _construct(adapter: Callable[..., AdapterT], config: Any, *given: Any) -> AdapterT:
    try:
        # An adapter is foreign code: what its constructor raises is named as its own failure.
        return adapter(config, *given)
    except Exception as error:
        message = f"'{config.namespace}' ({config.type}): {type(error).__name__}: {error}"
        raise PluginError(f"{getattr(adapter, '__module__', adapter)}: cannot build {message}") from error


def _units(config: ExposerConfig) -> list[tuple[OperationSpec, Caller]]:
    """Every operation of an exposer with what its surroundings say of it."""
    found = []
    outer: list[tuple[Model, Loc]] = []
    for model, loc in walk(config):
        while outer and outer[-1][1] != loc[: len(outer[-1][1])]:
            outer.pop()
        if isinstance(model, OperationSpec):
            found.append((model, _caller(model, [above for above, _ in outer])))
        outer.append((model, loc))
    return found


def _caller(spec: OperationSpec, outer: Sequence[Any]) -> Caller:
    return Caller(
        keys=frozenset({*spec.with_, *(given.name for given in spec.input_parameters if given.place == "path")}),
        description=spec.description,
        resource_names=tuple(model.name for model in outer if isinstance(getattr(model, "name", None), str)),
        paths=tuple(model.path for model in outer if isinstance(getattr(model, "path", None), str)),
        method=getattr(spec, "method", None),
    )


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


def _guarded(call: Call, check: Inject, gate: Gate) -> Call:
    async def guarded(arguments: Arguments) -> Result:
        checked = check(arguments)
        gate.enter()
        try:
            result = await call(checked)
        except BaseException:
            gate.leave()
            raise
        if result.stream is None:
            gate.leave()
        else:
            result.stream = _HeldStream(result.stream, gate)
        return result

    return guarded


class _HeldStream(AsyncIterator[bytes]):
    """A stream that counts as a call in progress until it ends or is closed."""

    def __init__(self, stream: AsyncIterator[bytes], gate: Gate) -> None:
        self._stream = stream
        self._gate: Gate | None = gate

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._stream)
        except BaseException:
            self._leave()
            raise

    async def aclose(self) -> None:
        """Close the upstream answer too."""
        self._leave()
        close = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()

    def _leave(self) -> None:
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.leave()
