"""Tools of the host itself, which no document declares."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from adapter_host import ArgumentError, Arguments, Call, Input, Operation, OperationSpec

from .tools import Tool

_LONGEST_NAME: Final = 128


def own_tool(
    model: Tool, name: str, description: str, inputs: tuple[Input, ...], call: Call, annotations: Mapping[str, Any]
) -> Tool:
    """Return a tool whose results and schemas have the form of `model`, a tool of the same exposer."""
    return replace(
        model,
        name=name,
        title=None,
        operation=Operation(name, description, inputs, call, OperationSpec(name=name)),
        annotations=annotations,
        headers=(),
        task=None,
        budget=None,
        most_bytes=sys.maxsize,
        selection=None,
    )


def check_arguments(arguments: Arguments, inputs: Sequence[Input]) -> None:
    """Raise `ArgumentError` for an unknown, missing or invalid argument."""
    by_name = {item.name: item for item in inputs}
    for name, value in arguments.items():
        if name not in by_name:
            known = ", ".join(by_name)
            raise ArgumentError(name, f"unknown argument '{name[:_LONGEST_NAME]}' (known: {known})")
        by_name[name].check(value)
    for item in inputs:
        if item.required and item.name not in arguments:
            raise ArgumentError(item.name, f"'{item.name}' is required")
