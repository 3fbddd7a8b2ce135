"""Resolve the values of an operation: inputs, secrets, constants and templates of these."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapter_host.capability.loaded import LoadedCapability, split_location
from adapter_host.capability.spec import InputSpec, OperationSpec
from adapter_host.document.source import Loc
from adapter_host.expressions.template import ABSENT, TAG, Part, Reference, Template, text_of

Values = Mapping[str, Any]
"""The values of one call, by their names in a scope."""

_WITH_PREFIX: Final = "with:"
_QUALIFIED: Final = re.compile(r"(?:\$this\.)?([A-Za-z0-9_-]+)\.(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that is the same in every call."""

    value: Any


Getter = Callable[[Values], Any]
"""Return a value of one call, or `ABSENT`."""

Value = Reference | Template | Constant


def is_input(name: str) -> bool:
    """Return whether a name is that of an input, and not of a `with` value or a step result."""
    return not name.startswith(("$", _WITH_PREFIX))


class Scope:
    """The names that values of one operation may refer to; `declared` are its inputs, `used` the names in use.

    `locations` are the locations of inputs that a reference names, such as `path` in `rest.path.id`.
    """

    def __init__(self, inputs: Iterable[InputSpec], loaded: LoadedCapability) -> None:
        specs = tuple(inputs)
        self.loaded = loaded
        self.declared = {spec.name: spec for spec in specs if spec.value is None}
        self.constants = {spec.name: spec.value for spec in specs if spec.value is not None}
        self.used: set[str] = set()
        self.locations: dict[str, str] = {}
        self.bound: dict[str, str] = {}
        self._bound_values: dict[str, Value] = {}
        self._getters: dict[str, Getter] = {}

    def bind_with(self, spec: OperationSpec) -> None:
        """Bind the values of the operation's `with`; their names take precedence over inputs."""
        loc = self.loaded.loc
        resolved = {key: self.resolve(value, loc(spec, "with", key)) for key, value in spec.with_.items()}
        self.bound = {key: f"{_WITH_PREFIX}{key}" for key in resolved}
        self._bound_values = {self.bound[key]: value for key, value in resolved.items()}
        self._getters = {name: compile_getter(value) for name, value in self._bound_values.items()}

    def values(self, arguments: Values) -> dict[str, Any]:
        """Return the initial values of a call."""
        return _values(arguments, self._getters)

    def preview(self, arguments: Values) -> dict[str, Any]:
        """Return the initial values of a call, with secrets replaced by their names."""
        getters = {n: m.preview if isinstance(m, Template) else self._getters[n] for n, m in self._bound_values.items()}
        return _values(arguments, getters)

    def resolve(self, value: Any, loc: Loc) -> Value:
        """Resolve a value of the document."""
        if not isinstance(value, str):
            return Constant(value)
        if "{{" in value:
            return self._resolve_template(value, loc)
        if name := self._qualified_input(value):
            return self._resolve_input(name)
        if "." in value and self.loaded.binds.find(value):
            return self._resolve_template("{{" + value + "}}", loc)
        return Constant(value)

    def lookup(self, name: str, loc: Loc) -> Part | None:
        """Look up the name in a template tag; None when it is not a name of this scope."""
        name = self._qualified_input(name) or name
        if name in self.bound:
            return Reference(self.bound[name])
        if name in self.constants:
            return text_of(self.constants[name])
        return Reference(name) if name in self.locations else None

    def warn_unused(self) -> None:
        """Report declared inputs without a use."""
        for name, spec in self.declared.items():
            if name not in self.used:
                loc = self.loaded.loc(spec, "name")
                self.loaded.problem(f"input '{name}' is never used", loc, code="idle-input", warning=True)

    def _resolve_input(self, name: str) -> Value:
        if name in self.constants and name not in self.bound:
            return Constant(self.constants[name])
        source = self.bound.get(name, name)
        self.used.add(source)
        return Reference(source)

    def _resolve_template(self, text: str, loc: Loc) -> Value:
        tag = TAG.fullmatch(text)
        if tag and tag[2] in self.constants and tag[2] not in self.bound:
            return Constant(self.constants[tag[2]])
        template = self.loaded.template(
            text, loc, inputs=self.declared, resolve_first=lambda name: self.lookup(name, loc)
        )
        self.used.update(template.inputs)
        return template if template.single is None else Reference(template.single)

    def _qualified_input(self, value: str) -> str | None:
        """Return the input in a qualified name such as `rest.limit` or `my-exposer.limit`, if it is one.

        Everything after the qualifier is the name, whatever its characters.
        """
        match = _QUALIFIED.fullmatch(value)
        if match is None or match[1] in self.loaded.binds.namespaces or match[1] not in self.loaded.callers:
            return None
        name, location = split_location(match[2], self.declared)
        if location is not None:
            self.locations[name] = location
        return name


def _values(arguments: Values, getters: Mapping[str, Getter]) -> dict[str, Any]:
    values = dict(arguments)
    for name, getter in getters.items():
        if (value := getter(arguments)) is not None and value is not ABSENT:
            values[name] = value
    return values


def compile_getter(value: Value) -> Getter:
    """Compile a resolved value to a function of the values of a call."""
    if isinstance(value, Reference):
        name = value.name
        return lambda values: values.get(name, ABSENT)
    constant = value.value if isinstance(value, Constant) else value.constant
    if isinstance(value, Template) and constant is None:
        return value.text
    return lambda values: constant
