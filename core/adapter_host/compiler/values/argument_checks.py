"""Check the arguments of a call against the inputs of its operation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from adapter_host.document.messages import closest_match, did_you_mean
from adapter_host.errors import ArgumentError
from adapter_host.expressions.template import ABSENT
from adapter_host.operation.inputs import Input
from adapter_host.operation.operation import Arguments

from .arguments import ArgumentMapper


def compile_validator(inputs: Iterable[Input], *, convert: bool = False) -> ArgumentMapper:
    """Compile a function that validates arguments and returns them; it raises `ArgumentError` for all mistakes.

    With `convert`, texts are converted where text is not allowed.
    """
    declared = {item.name: item for item in inputs}
    required = tuple(item.name for item in declared.values() if item.required)
    for item in declared.values():
        item.prepare()
    unchecked = {item.name: item.unchecked_classes for item in declared.values()}
    no_class: frozenset[type] = frozenset()

    def validate(arguments: Arguments) -> Arguments:
        absent: list[str] = []
        try:
            for name, value in arguments.items():
                if type(value) in unchecked.get(name, no_class):
                    continue
                spec = declared.get(name)
                if spec is None:
                    raise _unknown_parameter(name, declared)
                if value is ABSENT or (value is None and spec.takes_no_null):
                    # Clients write null for an argument that they leave out.
                    absent.append(name)
                else:
                    spec.check(value)
            for name in required:
                if arguments.get(name, ABSENT) is ABSENT:
                    raise ArgumentError(name, f"'{name}' is required")
        except ArgumentError:
            converted = _convert(arguments, declared) if convert else arguments
            if errors := list(_find_errors(converted, declared)):
                raise ArgumentError.combine(errors) from None
            return {name: value for name, value in converted.items() if not _is_absent(value, declared[name])}
        return {name: arguments[name] for name in arguments if name not in absent} if absent else arguments

    return validate


def _is_absent(value: Any, spec: Input) -> bool:
    return value is ABSENT or (value is None and spec.takes_no_null)


def _convert(arguments: Arguments, declared: Mapping[str, Input]) -> Arguments:
    return {name: declared[name].converted(value) if name in declared else value for name, value in arguments.items()}


def _find_errors(arguments: Arguments, declared: Mapping[str, Input]) -> Iterator[ArgumentError]:
    misspelt = set()
    for name, value in arguments.items():
        spec = declared.get(name)
        if spec is None:
            misspelt.add(closest_match(name, declared))
            yield _unknown_parameter(name, declared)
        elif not _is_absent(value, spec):
            try:
                spec.check(value)
            except ArgumentError as error:
                yield error
    for item in declared.values():
        if item.required and item.name not in misspelt and arguments.get(item.name, ABSENT) is ABSENT:
            yield ArgumentError(item.name, f"'{item.name}' is required")


def _unknown_parameter(name: str, declared: Mapping[str, Input]) -> ArgumentError:
    hint = did_you_mean(name, declared) or f" (known: {', '.join(declared) or 'none'})"
    return ArgumentError(name, f"unknown parameter '{name}'{hint}")
