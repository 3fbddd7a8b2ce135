"""Compiling one unit (a REST operation, an MCP tool): its inputs, and how they become its target's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from adapter_host.capability.spec import CallStepSpec, InputSpec, OperationSpec
from adapter_host.document.messages import did_you_mean, listed
from adapter_host.document.source import Loc
from adapter_host.errors import ArgumentError
from adapter_host.expressions.template import ABSENT, Reference, Template
from adapter_host.operation.inputs import Input
from adapter_host.operation.operation import Arguments

from .references import normalize_name
from .scope import Scope

ArgumentMapper = Callable[[Arguments], Arguments]
"""From one set of arguments to another."""


class _Target(Protocol):
    """What a unit calls: a consumed operation, or a function."""

    @property
    def namespace(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def inputs(self) -> tuple[Input, ...]: ...


@dataclass(frozen=True, slots=True)
class ArgumentBinding:
    """Where each input of the target comes from, by its name: a named value, a template or a constant.

    `inferred` is what the target says of the values that are named.
    """

    references: Mapping[str, str]
    templates: Mapping[str, Template]
    constants: Mapping[str, Any]
    inferred: Mapping[str, Input]


def bind_arguments(scope: Scope, calling: OperationSpec | CallStepSpec, target: _Target) -> ArgumentBinding:
    """Decide where the inputs of `target` come from."""
    return _Binder(scope, calling, target).binding()


def operation_inputs(scope: Scope, *inferred: Mapping[str, Input]) -> tuple[Input, ...]:
    """The inputs of a unit: the declared ones, and those that only its targets name."""
    inputs: dict[str, Input] = {}
    for found in inferred:
        for name, given in found.items():
            inputs[name] = _stronger(inputs[name], given) if name in inputs else given
    for name, spec in scope.declared.items():
        inputs[name] = declared_input(spec, inputs.get(name))
    return tuple(inputs.values())


def _stronger(known: Input, other: Input) -> Input:
    """Of what two targets say of one input, what says more."""
    if known.required >= other.required and (known.type or not other.type):
        return known
    return replace(other, type=other.type or known.type, required=known.required or other.required)


@dataclass(slots=True)
class _Binder:
    scope: Scope
    calling: OperationSpec | CallStepSpec
    target: _Target
    references: dict[str, str] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)

    def binding(self) -> ArgumentBinding:
        for key, value in self.scope.constants.items():
            if name := _match(key, self._names):
                self.constants[name] = value
        for key, value in self.calling.with_.items():
            self._bind_with(key, value)
        self._bind_rest()
        self.scope.used.update(self.references.values())
        return ArgumentBinding(self.references, self.templates, self.constants, self._inferred())

    @property
    def _names(self) -> list[str]:
        return [given.name for given in self.target.inputs]

    def _bind_with(self, key: str, value: Any) -> None:
        loc = self.scope.loaded.loc(self.calling, "with", key)
        name = _match(key, self._names)
        if name is None:
            self._warn_unused(key, loc)
            return
        self.constants.pop(name, None)
        meaning = self.scope.meaning(value, loc)
        if isinstance(meaning, Template):
            self.templates[name] = meaning
        elif isinstance(meaning, Reference):
            self.references[name] = meaning.name
        elif value == name and value in self.scope.declared:
            self.references[name] = value
        else:
            self.constants[name] = meaning.value

    def _bind_rest(self) -> None:
        """What `with` does not name comes from the input of its name; undeclared units take all of the target's."""
        own = list(self.scope.declared)
        for given in self.target.inputs:
            bound = given.name in self.references or given.name in self.templates or given.name in self.constants
            if bound or not given.implicit:
                continue
            if (name := _match(given.name, list(self.scope.given))) is not None:
                self.references[given.name] = self.scope.given[name]
            elif (name := _match(given.name, own)) is not None:
                self.references[given.name] = name
            elif given.required or not own:
                self.references[given.name] = given.name

    def _inferred(self) -> Mapping[str, Input]:
        consumed = {given.name: given for given in self.target.inputs}
        inferred: dict[str, Input] = {}
        for name, source in self.references.items():
            if source not in inferred or consumed[name].required > inferred[source].required:
                inferred[source] = replace(consumed[name], name=source, implicit=True)
        for name, template in self.templates.items():
            place = None if consumed[name].whole else consumed[name].in_
            for source in template.inputs:
                inferred.setdefault(source, Input(source, in_=place))
        return inferred

    def _warn_unused(self, key: str, loc: Loc) -> None:
        hint = did_you_mean(key, self._names) or f" (it takes: {listed(self._names, 'and') or 'nothing'})"
        message = f"'{self.target.namespace}.{self.target.name}' takes no '{key}', so it is not sent{hint}"
        self.scope.loaded.problem(message, loc, code="unused-with", warning=True, key=True)


def _match(name: str, names: Sequence[str]) -> str | None:
    if name in names:
        return name
    return next((other for other in names if normalize_name(other) == normalize_name(name)), None)


def declared_input(spec: InputSpec, inferred: Input | None = None) -> Input:
    """A declared input; what it does not say is as inferred from where its value goes."""
    known = inferred or Input(spec.name)
    return Input(
        name=spec.name,
        type=spec.type or known.type,
        required=known.required or spec.in_ == "path" if spec.required is None else spec.required,
        description=spec.description or known.description,
        in_=spec.in_ or known.in_,
        pattern=spec.pattern or known.pattern,
        whole=known.whole if spec.in_ in (None, "body") else False,
    )


def compile_mapper(binding: ArgumentBinding, inputs: Iterable[Input] | None) -> ArgumentMapper:
    """The function from a unit's arguments to its target's; `inputs` are all that may be among the arguments.

    With None there may be anything among them.
    """
    filled = {name: each.constant for name, each in binding.templates.items() if each.constant is not None}
    templates = {name: each.text for name, each in binding.templates.items() if name not in filled}
    return _map_arguments(binding, inputs, {**binding.constants, **filled}, templates)


def compile_preview(binding: ArgumentBinding, inputs: Iterable[Input] | None) -> ArgumentMapper:
    """As `compile_mapper`, for people: secrets stay as names."""
    return _map_arguments(
        binding, inputs, binding.constants, {name: each.preview for name, each in binding.templates.items()}
    )


def _map_arguments(
    binding: ArgumentBinding,
    inputs: Iterable[Input] | None,
    constants: Mapping[str, Any],
    texts: Mapping[str, Callable[[Arguments], str]],
) -> ArgumentMapper:
    references = tuple(binding.references.items())
    templates = tuple(texts.items())
    renamed = any(name != source for name, source in references)
    idle = inputs is None or {given.name for given in inputs} - set(binding.references)
    if not (renamed or idle or constants or templates):
        return lambda arguments: arguments

    def map_arguments(arguments: Arguments) -> Arguments:
        given = dict(constants)
        for name, source in references:
            if source in arguments:
                given[name] = arguments[source]
        for name, template in templates:
            given[name] = template(arguments)
        return given

    return map_arguments


def compile_validator(inputs: Iterable[Input]) -> ArgumentMapper:
    """The function that gives the arguments back, checked; it raises `ArgumentError`."""
    known = {given.name: given for given in inputs}
    required = tuple(given.name for given in known.values() if given.required)

    def check(arguments: Arguments) -> Arguments:
        absent: list[str] = []
        for name, value in arguments.items():
            given = known.get(name)
            if given is None:
                raise _unknown(name, known)
            if value is ABSENT or (value is None and given.type and not given.required):
                # A client that writes null for what it leaves out means the same.
                absent.append(name)
            else:
                given.check(value)
        for name in required:
            if arguments.get(name, ABSENT) is ABSENT:
                raise ArgumentError(name, f"'{name}' is required")
        return {name: arguments[name] for name in arguments if name not in absent} if absent else arguments

    return check


def _unknown(name: str, known: Mapping[str, Input]) -> ArgumentError:
    hint = did_you_mean(name, known) or f" (known: {', '.join(known) or 'none'})"
    return ArgumentError(name, f"unknown parameter '{name}'{hint}")
