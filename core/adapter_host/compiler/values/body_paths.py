"""Compile declared inputs whose `value` is a JSONPath into the body of a request, or into the arguments of a call."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.spec import InputSpec
from adapter_host.errors import ArgumentError
from adapter_host.expressions.jsonpath import PathGetter, compile_path, split_path
from adapter_host.expressions.template import ABSENT
from adapter_host.operation.inputs import Input

_PATH: Final = re.compile(r"\$(?:[.\[].*)?", re.DOTALL)
_BODY: Final = "body"


@dataclass(frozen=True, slots=True)
class BodyPaths:
    """Functions from arguments to the values of inputs, and the inputs of callers that contain these values."""

    getters: Mapping[str, Callable[[Mapping[str, Any]], Any]] = field(default_factory=dict)
    inputs: Mapping[str, Input] = field(default_factory=dict)


def is_body_path(value: Any) -> bool:
    """Return whether a declared value is a JSONPath."""
    return isinstance(value, str) and _PATH.fullmatch(value) is not None


def compile_body_paths(specs: Sequence[InputSpec], taken: Collection[str], loaded: LoadedCapability) -> BodyPaths:
    """Compile the inputs with a path; `taken` are the names of inputs at other locations than the body."""
    first_steps = [split_path(spec.value)[0][:1] for spec in specs]
    # Fields of the body are arguments of their own, unless a path selects another part or a name is taken.
    whole = any(not step or not isinstance(step[0], str) or step[0] in taken for step in first_steps)
    inputs: dict[str, Input] = {}
    for spec in specs:
        item = _containing_input(spec, whole=whole)
        inputs[item.name] = _merge(inputs[item.name], item) if item.name in inputs else item
    return BodyPaths({spec.name: _compile_getter(spec, loaded, whole=whole) for spec in specs}, inputs)


def _containing_input(spec: InputSpec, *, whole: bool) -> Input:
    steps, rest = split_path(spec.value)
    name, inner = (_BODY, steps) if whole else (str(steps[0]), steps[1:])
    if not inner and not rest:
        declared = Input.declared(spec)
        return replace(declared, name=name, in_=_BODY, whole=whole)
    type_name = None if not inner else "array" if isinstance(inner[0], int) else "object"
    description = f"{spec.value}: {spec.description or spec.name}"
    return Input(name, type_name, bool(spec.required), description, _BODY, whole=whole)


def _merge(first: Input, second: Input) -> Input:
    return Input(
        first.name,
        first.type if first.type == second.type else None,
        first.required or second.required,
        "; ".join(text for text in (first.description, second.description) if text),
        _BODY,
        whole=first.whole,
    )


def _compile_getter(spec: InputSpec, loaded: LoadedCapability, *, whole: bool) -> Callable[[Mapping[str, Any]], Any]:
    find = _compile_path(spec, loaded)
    declared = Input.declared(spec)

    def get(arguments: Mapping[str, Any]) -> Any:
        value = find(arguments.get(_BODY) if whole else arguments)
        if value is not None:
            declared.check(value)
            return value
        if spec.required:
            raise ArgumentError(spec.name, f"'{spec.name}' is required; send it at {spec.value} of the body")
        return ABSENT

    return get


def _compile_path(spec: InputSpec, loaded: LoadedCapability) -> PathGetter:
    try:
        return compile_path(spec.value)
    except ValueError as error:
        loaded.problem(str(error), loaded.loc(spec, "value"), code="jsonpath")
        return lambda data: None
