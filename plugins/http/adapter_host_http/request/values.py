"""Values of one call."""

from __future__ import annotations

from typing import Any

from adapter_host import ABSENT, Arguments
from adapter_host_http.encoding import comma_joined

from .templates import Constant, Value


def argument(name: str) -> Value:
    """Return the value of an argument."""
    return lambda arguments: arguments.get(name, ABSENT)


def comma_joined_value(value: Value) -> Value:
    """Return a value with the elements of an array joined with commas."""
    if isinstance(value, Constant):
        return Constant(_comma_joined(value.value))
    return lambda arguments: _comma_joined(value(arguments))


def _comma_joined(value: Any) -> Any:
    return value if value is None or value is ABSENT else comma_joined(value)


def argument_or(name: str, default: Any) -> Value:
    """Return the value of an argument, or a default if it is absent or null."""

    def value(arguments: Arguments) -> Any:
        given = arguments.get(name)
        return default if given is None or given is ABSENT else given

    return value
