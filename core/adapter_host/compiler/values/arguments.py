"""Compile the inputs of one operation, and map its arguments to those of its target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from adapter_host.capability.spec import InputSpec, OperationSpec
from adapter_host.capability.step_specs import CallStepSpec
from adapter_host.compiler.references import normalize_name
from adapter_host.document.messages import did_you_mean, join_words
from adapter_host.document.source import Loc
from adapter_host.expressions.template import Reference, Template
from adapter_host.operation.inputs import Input, restrictions, type_of
from adapter_host.operation.operation import Arguments

from .scope import Scope, is_input

ArgumentMapper = Callable[[Arguments], Arguments]
"""Map the arguments of an operation to those of its target."""


class _Target(Protocol):
    """The target of a call: a consumed operation, or a function."""

    @property
    def namespace(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def inputs(self) -> tuple[Input, ...]: ...


@dataclass(frozen=True, slots=True)
class ArgumentBinding:
    """The source of each input of the target, by its name: a named value, a template or a constant.

    `inferred` are inputs of the caller, inferred from the target's, by name.
    """

    references: Mapping[str, str]
    templates: Mapping[str, Template]
    constants: Mapping[str, Any]
    inferred: Mapping[str, Input]


def bind_arguments(scope: Scope, spec: OperationSpec | CallStepSpec, target: _Target) -> ArgumentBinding:
    """Return where the inputs of `target` come from."""
    return _Binder(scope, spec, target).bind()


def operation_inputs(scope: Scope, *inferred: Mapping[str, Input]) -> tuple[Input, ...]:
    """Return the inputs of an operation: the declared ones, and those inferred from its targets."""
    inputs: dict[str, Input] = {}
    for by_name in (scope.implied, *inferred):
        for name, item in by_name.items():
            inputs[name] = _merge_inputs(inputs[name], item) if name in inputs else item
    for name, spec in scope.declared.items():
        inputs[name] = declared_input(spec, inputs.get(name))
    return tuple(inputs.values())


def _merge_inputs(first: Input, second: Input) -> Input:
    """Return the stricter of two declarations of one input."""
    if first.required >= second.required and (first.type or not second.type):
        return first
    return replace(second, type=second.type or first.type, required=first.required or second.required)


@dataclass(slots=True)
class _Binder:
    scope: Scope
    spec: OperationSpec | CallStepSpec
    target: _Target
    references: dict[str, str] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)

    def bind(self) -> ArgumentBinding:
        for key, value in self.scope.constants.items():
            if name := _matching_name(key, self._input_names):
                self.constants[name] = value
        for key, value in self.spec.with_.items():
            self._bind_with(key, value)
        self._bind_remaining()
        self._check_offered()
        self.scope.used.update(self.references.values())
        return ArgumentBinding(self.references, self.templates, self.constants, self._inferred())

    @property
    def _input_names(self) -> list[str]:
        return [item.name for item in self.target.inputs]

    def _bind_with(self, key: str, value: Any) -> None:
        loc = self.scope.loaded.loc(self.spec, "with", key)
        name = _matching_name(key, self._input_names)
        if name is None:
            self._warn_unknown(key, loc)
            return
        self.constants.pop(name, None)
        resolved = self.scope.resolve(value, loc)
        if isinstance(resolved, Template):
            self.templates[name] = resolved
        elif isinstance(resolved, Reference):
            self.references[name] = resolved.name
        elif value == name and value in self.scope.declared:
            self.references[name] = value
        elif value == name and value in self.scope.bound:
            self.references[name] = self.scope.bound[value]
        else:
            self.constants[name] = resolved.value

    def _bind_remaining(self) -> None:
        """Bind inputs that `with` does not name to inputs of the same name.

        An operation that declares no inputs has all of the target's, any other one those that are offered.
        """
        is_exposed = isinstance(self.spec, OperationSpec)
        declared, bound = list(self.scope.declared), list(self.scope.bound)
        for item in self.target.inputs:
            name = item.name
            if name in self.references or name in self.templates or name in self.constants or not item.implicit:
                continue
            if (key := _matching_name(name, bound)) is not None:
                self.references[name] = self.scope.bound[key]
            elif (source := _matching_name(name, declared)) is not None:
                self.references[name] = source
            elif item.required or not declared or (item.offered and is_exposed):
                self.references[name] = name

    def _check_offered(self) -> None:
        """Report declared inputs that have the name of an offered one, and another meaning."""
        for item in self.target.inputs:
            source = self.references.get(item.name) if item.offered else None
            spec = None if source is None else self.scope.declared.get(source)
            if spec is None or item.name in self.spec.with_:
                continue
            others = [name for name, other in self.references.items() if other == source and name != item.name]
            others += [name for name, template in self.templates.items() if source in template.inputs]
            if others:
                target = f"{self.target.namespace}.{self.target.name}"
                message = (
                    f"'{source}' is the input '{others[0]}' of '{target}', and also its 'x-pagination' input "
                    f"'{item.name}'; rename it, or set another 'limitInput' or 'untilInput' there"
                )
                self.scope.loaded.problem(message, self.scope.loaded.loc(spec, "name"), code="pagination")

    def _inferred(self) -> Mapping[str, Input]:
        target_inputs = {item.name: item for item in self.target.inputs}
        inferred: dict[str, Input] = {}
        for name, source in self.references.items():
            if not is_input(source):
                continue
            if source not in inferred or target_inputs[name].required > inferred[source].required:
                inferred[source] = self._relocated(replace(target_inputs[name], name=source, implicit=True))
        for name, template in self.templates.items():
            location = None if target_inputs[name].whole else target_inputs[name].in_
            for source in filter(is_input, template.inputs):
                inferred.setdefault(source, self._relocated(Input(source, in_=location)))
        return inferred

    def _relocated(self, item: Input) -> Input:
        """Return an input at the location that a reference names, if one does."""
        location = self.scope.locations.get(item.name)
        return item if location is None else replace(item, in_=location, whole=False, wire=None)

    def _warn_unknown(self, key: str, loc: Loc) -> None:
        hint = did_you_mean(key, self._input_names) or f" (inputs: {join_words(self._input_names, 'and') or 'none'})"
        message = f"'{key}' is ignored: '{self.target.namespace}.{self.target.name}' has no such input{hint}"
        self.scope.loaded.problem(message, loc, code="unused-with", warning=True, key=True)


def _matching_name(name: str, names: Sequence[str]) -> str | None:
    if name in names:
        return name
    return next((other for other in names if normalize_name(other) == normalize_name(name)), None)


def declared_input(spec: InputSpec, inferred: Input | None = None) -> Input:
    """Return a declared input, completed by what is inferred from its use."""
    base = inferred or Input(spec.name)
    # The limits of an input of another type do not apply.
    limits = base if spec.type in (None, base.type) or base.type is None else Input(spec.name)
    inherited = {name: getattr(limits, name) for name in ("pattern", "min_length", "max_length", "values")}
    schema = spec.json_schema or limits.json_schema
    declared = {name: value for name, value in restrictions(spec).items() if value not in (None, ())}
    return Input(
        name=spec.name,
        type=spec.type or (type_of(schema) if spec.json_schema else base.type),
        required=base.required or spec.in_ == "path" if spec.required is None else spec.required,
        description=spec.description or base.description,
        in_=spec.in_ or base.in_,
        whole=base.whole if spec.in_ in (None, "body") else False,
        json_schema=schema,
        wire=base.wire if spec.in_ in (None, base.in_) else None,
        **{**inherited, **declared},
    )


def compile_mapper(binding: ArgumentBinding, inputs: Iterable[Input] | None) -> ArgumentMapper:
    """Compile the function that maps an operation's arguments to its target's.

    `inputs` are the inputs that the arguments may have; None allows any.
    """
    templates = binding.templates
    constants = {name: template.constant for name, template in templates.items() if template.constant is not None}
    renderers = {name: template.text for name, template in templates.items() if name not in constants}
    return _map_arguments(binding, inputs, {**binding.constants, **constants}, renderers)


def compile_preview(binding: ArgumentBinding, inputs: Iterable[Input] | None) -> ArgumentMapper:
    """Compile a mapper like `compile_mapper`, with secrets replaced by their names."""
    return _map_arguments(
        binding, inputs, binding.constants, {name: template.preview for name, template in binding.templates.items()}
    )


def _map_arguments(
    binding: ArgumentBinding,
    inputs: Iterable[Input] | None,
    constants: Mapping[str, Any],
    renderers: Mapping[str, Callable[[Arguments], str]],
) -> ArgumentMapper:
    references = tuple(binding.references.items())
    templates = tuple(renderers.items())
    renames_inputs = any(name != source for name, source in references)
    drops_inputs = inputs is None or {item.name for item in inputs} - set(binding.references)
    if not (renames_inputs or drops_inputs or constants or templates):
        return lambda arguments: arguments

    def map_arguments(arguments: Arguments) -> Arguments:
        mapped = dict(constants)
        for name, source in references:
            if source in arguments:
                mapped[name] = arguments[source]
        for name, render in templates:
            mapped[name] = render(arguments)
        return mapped

    return map_arguments
