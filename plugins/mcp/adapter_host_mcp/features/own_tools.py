"""Tools of the host itself, which no document declares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from adapter_host import ArgumentError, Arguments, Input

_LONGEST_NAME: Final = 128


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
