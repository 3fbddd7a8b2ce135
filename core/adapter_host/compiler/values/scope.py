"""Resolve the values of an operation: inputs, secrets, constants and templates of these."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapter_host.capability.loaded import LoadedCapability, is_variable, split_location
from adapter_host.capability.spec import InputSpec, OperationSpec
from adapter_host.document.source import Loc
from adapter_host.expressions.template import ABSENT, TAG, Part, Reference, Template, text_of
from adapter_host.operation.inputs import Input

from .body_paths import compile_body_paths, is_body_path

Values = Mapping[str, Any]
"""The values of one call, by their names in a scope."""

_WITH_PREFIX: Final = "with:"
_VALUE_PREFIX: Final = "value:"
_QUALIFIED: Final = re.compile(r"(?:\$this\.)?([A-Za-z0-9_-]+)\.(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that is the same in every call."""

    value: Any


Getter = Callable[[Values], Any]
"""Return a value of one call, or `ABSENT`."""

Value = Reference | Template | Constant


class Structure(Template):
    """A list or a mapping with values of a call in it; absent ones are left out."""

    __slots__ = ("_getters", "_is_list", "_previews")

    def __init__(self, children: Mapping[str | int, Value], *, is_list: bool) -> None:
        super().__init__(tuple(part for child in children.values() for part in _parts(child)))
        self.constant, self.single = None, None
        self._is_list = is_list
        self._getters = tuple((key, compile_getter(child)) for key, child in children.items())
        self._previews = tuple((key, _compile_preview(child)) for key, child in children.items())

    def text(self, arguments: Values, encode: Callable[[str], str] = str) -> Any:
        """Return the list or mapping of a call."""
        return self._build(self._getters, arguments)

    def preview(self, arguments: Values, encode: Callable[[str], str] = str) -> Any:
        """Return the list or mapping of a call, with secrets by name."""
        return self._build(self._previews, arguments)

    def _build(self, getters: Iterable[tuple[str | int, Getter]], arguments: Values) -> Any:
        present = {key: value for key, get in getters if (value := get(arguments)) is not ABSENT}
        return list(present.values()) if self._is_list else present


def _parts(value: Value) -> tuple[Part, ...]:
    return value.parts if isinstance(value, Template) else (value,) if isinstance(value, Reference) else ()


def _compile_preview(value: Value) -> Getter:
    return value.preview if isinstance(value, Template) else compile_getter(value)


def is_input(name: str) -> bool:
    """Return whether a name is that of a caller's input, and not of another value or a step result."""
    # The name of an input may begin with `$`, but not with a path.
    return not name.startswith(("$.", _WITH_PREFIX, _VALUE_PREFIX))


class Scope:
    """The names that values of one operation may refer to; `declared` are its inputs, `used` the names in use.

    `locations` are the locations of inputs that a reference names, such as `path` in `rest.path.id`. `bound` are the
    names of values that are computed in each call; `implied` are inputs that a caller sends for these.
    """

    def __init__(self, inputs: Iterable[InputSpec], loaded: LoadedCapability) -> None:
        self.loaded = loaded
        self.declared: dict[str, InputSpec] = {}
        self.constants: dict[str, Any] = {}
        self.used: set[str] = set()
        self.locations: dict[str, str] = {}
        self.bound: dict[str, str] = {}
        self.implied: dict[str, Input] = {}
        self._templates: dict[str, Template] = {}
        self._getters: dict[str, Getter] = {}
        self._declare(tuple(inputs))

    def bind_with(self, spec: OperationSpec) -> None:
        """Bind the values of the operation's `with`; their names take precedence over inputs."""
        loc = self.loaded.loc
        resolved = {key: self.resolve(value, loc(spec, "with", key)) for key, value in spec.with_.items()}
        for key, value in resolved.items():
            self._bind(key, f"{_WITH_PREFIX}{key}", value)

    def _declare(self, specs: Sequence[InputSpec]) -> None:
        """Declare the inputs; one with a `value` is a constant or computed, and callers cannot set it."""
        paths, expressions = [], []
        for spec in specs:
            if spec.value is None or self._is_ignored_path(spec):
                self.declared[spec.name] = spec
            elif is_body_path(spec.value):
                paths.append(spec)
            elif isinstance(spec.value, str | list | dict):
                expressions.append(spec)
            else:
                self.constants[spec.name] = spec.value
        taken = {name for name, spec in self.declared.items() if spec.in_ not in (None, "body")}
        body_paths = compile_body_paths(paths, taken, self.loaded)
        self.implied.update(body_paths.inputs)
        for name, getter in body_paths.getters.items():
            self._bind(name, f"{_VALUE_PREFIX}{name}", getter)
        for spec in expressions:
            self._declare_expression(spec)

    def _declare_expression(self, spec: InputSpec) -> None:
        value = self.resolve(spec.value, self.loaded.loc(spec, "value"))
        if isinstance(value, Constant):
            self.constants[spec.name] = value.value
            return
        self._bind(spec.name, f"{_VALUE_PREFIX}{spec.name}", value)
        sources = (value.name,) if isinstance(value, Reference) else value.inputs
        for name in filter(is_input, sources):
            self.implied.setdefault(name, Input(name, in_=self.locations.get(name)))

    def _is_ignored_path(self, spec: InputSpec) -> bool:
        if not is_body_path(spec.value) or spec.in_ in (None, "body"):
            return False
        message = f"'{spec.value}' is ignored: a JSONPath selects from the body; write 'in: body' or remove the value"
        self.loaded.problem(message, self.loaded.loc(spec, "value"), code="ignored", warning=True)
        return True

    def _bind(self, name: str, key: str, value: Value | Getter) -> None:
        self.bound[name] = key
        if isinstance(value, Template):
            self._templates[key] = value
        self._getters[key] = compile_getter(value) if isinstance(value, Value) else value

    def values(self, arguments: Values) -> dict[str, Any]:
        """Return the initial values of a call."""
        return _values(arguments, self._getters)

    def preview(self, arguments: Values) -> dict[str, Any]:
        """Return the initial values of a call, with secrets replaced by their names."""
        return _values(arguments, {**self._getters, **{key: made.preview for key, made in self._templates.items()}})

    def resolve(self, value: Any, loc: Loc) -> Value:
        """Resolve a value of the document."""
        if isinstance(value, dict | list | tuple):
            return self._resolve_structure(value, loc)
        if not isinstance(value, str):
            return Constant(value)
        if "{{" in value:
            return self._resolve_template(value, loc)
        if name := self._qualified_input(value):
            return self._resolve_input(name)
        if self._names_secret(value):
            return self._resolve_template("{{" + value + "}}", loc)
        return Constant(value)

    def _resolve_structure(self, value: Any, loc: Loc) -> Value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        children = {key: self.resolve(child, (*loc, key)) for key, child in items}
        if all(isinstance(child, Constant) for child in children.values()):
            return Constant(value)
        return Structure(children, is_list=not isinstance(value, dict))

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

    def _names_secret(self, value: str) -> bool:
        """Return whether a text is the name of a secret with its namespace, declared or not."""
        namespace, dot, name = value.partition(".")
        binds = self.loaded.binds
        return bool(dot) and (binds.find(value) is not None or (namespace in binds.namespaces and is_variable(name)))

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
        if (value := getter(values)) is not None and value is not ABSENT:
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
