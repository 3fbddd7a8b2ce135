"""Compiling one unit (a REST operation, an MCP tool): its inputs, and how they become its target's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from .adapters import ConsumedOperation
from .capability import InputSpec, OperationSpec
from .declaration import Declaration
from .document.source import Loc
from .document.words import listed, suggest
from .errors import ArgumentError
from .inputs import Input
from .operation import Arguments
from .resolve import fold
from .template import ABSENT, Template

Inject = Callable[[Arguments], Arguments]
"""From one set of arguments to another."""

_QUALIFIED: Final = re.compile(r"(?:\$this\.)?([A-Za-z0-9_-]+)\.([A-Za-z0-9_*.-]+)")


@dataclass(frozen=True, slots=True)
class Wiring:
    """Where each input of the target comes from, by its name: a caller's input, a template or a constant."""

    inputs: tuple[Input, ...]
    references: Mapping[str, str]
    templates: Mapping[str, Template]
    constants: Mapping[str, Any]


def wire(spec: OperationSpec, target: ConsumedOperation, declaration: Declaration) -> Wiring:
    """Decide where the inputs of `target` come from, and so what the unit's own inputs are."""
    return _Wirer(spec, target, declaration).wiring()


@dataclass(slots=True)
class _Wirer:
    spec: OperationSpec
    target: ConsumedOperation
    declaration: Declaration
    declared: dict[str, InputSpec] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)

    def wiring(self) -> Wiring:
        self._declare()
        for key, value in self.spec.with_.items():
            self._wire_with(key, value)
        self._wire_rest()
        self._warn_idle()
        return Wiring(tuple(self._inputs()), self.references, self.templates, self.constants)

    @property
    def _names(self) -> list[str]:
        return [given.name for given in self.target.inputs]

    def _declare(self) -> None:
        for spec in self.spec.input_parameters:
            if spec.value is None:
                self.declared[spec.name] = spec
            elif name := _match(spec.name, self._names):
                self.constants[name] = spec.value

    def _wire_with(self, key: str, value: Any) -> None:
        loc = self.declaration.loc(self.spec, "with", key)
        name = _match(key, self._names)
        if name is None:
            self._warn_unused(key, loc)
            return
        self.constants.pop(name, None)
        if not isinstance(value, str):
            self.constants[name] = value
        elif "{{" in value:
            self._wire_template(name, value, loc)
        elif reference := self._reference(value):
            self.references[name] = reference
        elif "." in value and self.declaration.binds.find(value):
            self._wire_template(name, "{{" + value + "}}", loc)
        elif value == name and value in self.declared:
            self.references[name] = value
        else:
            self.constants[name] = value

    def _wire_template(self, name: str, text: str, loc: Loc) -> None:
        template = self.declaration.template(text, loc, inputs=self.declared)
        if template.single is not None:
            self.references[name] = template.single
        else:
            self.templates[name] = template

    def _reference(self, value: str) -> str | None:
        """The caller's input that text like `rest.limit` or `my-exposer.limit` means, if it means one."""
        qualified = _QUALIFIED.fullmatch(value)
        if qualified is None or qualified[1] in self.declaration.binds.namespaces:
            return None
        return qualified[2] if qualified[1] in self.declaration.callers else None

    def _wire_rest(self) -> None:
        """What `with` does not name comes from the input of its name; undeclared units take all of the target's."""
        own = list(self.declared)
        for given in self.target.inputs:
            wired = given.name in self.references or given.name in self.templates or given.name in self.constants
            if wired or not given.implicit:
                continue
            if (name := _match(given.name, own)) is not None:
                self.references[given.name] = name
            elif given.required or not own:
                self.references[given.name] = given.name

    def _inputs(self) -> Iterable[Input]:
        consumed = {given.name: given for given in self.target.inputs}
        inputs: dict[str, Input] = {}
        for name, source in self.references.items():
            if source not in inputs or consumed[name].required > inputs[source].required:
                inputs[source] = replace(consumed[name], name=source, implicit=True)
        for name, template in self.templates.items():
            place = None if consumed[name].whole else consumed[name].place
            for source in template.inputs:
                inputs.setdefault(source, Input(source, place=place))
        for name, spec in self.declared.items():
            inputs[name] = declared_input(spec, inputs.get(name))
        return inputs.values()

    def _warn_unused(self, key: str, loc: Loc) -> None:
        hint = suggest(key, self._names) or f" (it takes: {listed(self._names, 'and') or 'nothing'})"
        message = f"'{self.target.namespace}.{self.target.name}' takes no '{key}', so it is not sent{hint}"
        self.declaration.problem(message, loc, code="unused-with", warning=True, key=True)

    def _warn_idle(self) -> None:
        used = {*self.references.values(), *(name for each in self.templates.values() for name in each.inputs)}
        for name, spec in self.declared.items():
            if name not in used:
                loc = self.declaration.loc(spec, "name")
                self.declaration.problem(f"input '{name}' goes nowhere", loc, code="idle-input", warning=True)


def _match(name: str, names: Sequence[str]) -> str | None:
    if name in names:
        return name
    return next((other for other in names if fold(other) == fold(name)), None)


def declared_input(spec: InputSpec, inferred: Input | None = None) -> Input:
    """A declared input; what it does not say is as inferred from where its value goes."""
    known = inferred or Input(spec.name)
    return Input(
        name=spec.name,
        type=spec.type or known.type,
        required=known.required or spec.place == "path" if spec.required is None else spec.required,
        description=spec.description or known.description,
        place=spec.place or known.place,
        pattern=spec.pattern or known.pattern,
        whole=known.whole if spec.place in (None, "body") else False,
    )


def compile_inject(wiring: Wiring) -> Inject:
    """The function from a unit's arguments to its target's."""
    filled = {name: each.constant for name, each in wiring.templates.items() if each.constant is not None}
    templates = {name: each.text for name, each in wiring.templates.items() if name not in filled}
    return _inject(wiring, {**wiring.constants, **filled}, templates)


def compile_preview(wiring: Wiring) -> Inject:
    """As `compile_inject`, for people: secrets stay as names."""
    return _inject(wiring, wiring.constants, {name: each.preview for name, each in wiring.templates.items()})


def _inject(wiring: Wiring, constants: Mapping[str, Any], texts: Mapping[str, Callable[[Arguments], str]]) -> Inject:
    references = tuple(wiring.references.items())
    templates = tuple(texts.items())
    renamed = any(name != source for name, source in references)
    idle = {given.name for given in wiring.inputs} - set(wiring.references)
    if not (renamed or idle or constants or templates):
        return lambda arguments: arguments

    def inject(arguments: Arguments) -> Arguments:
        given = dict(constants)
        for name, source in references:
            if source in arguments:
                given[name] = arguments[source]
        for name, template in templates:
            given[name] = template(arguments)
        return given

    return inject


def compile_check(inputs: Iterable[Input]) -> Inject:
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
    hint = suggest(name, known) or f" (known: {', '.join(known) or 'none'})"
    return ArgumentError(name, f"unknown parameter '{name}'{hint}")
