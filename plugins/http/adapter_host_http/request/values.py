"""Values of one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapter_host import ABSENT, Arguments
from adapter_host_http.encoding import comma_joined

from .templates import Constant, Value


def argument(name: str) -> Value:
    """Return the value of an argument."""
    return lambda arguments: arguments.get(name, ABSENT)


def converted(value: Value, convert: Callable[[Any], Any]) -> Value:
    """Return a value after a conversion, which constants have in advance."""
    if isinstance(value, Constant):
        return Constant(convert(value.value))
    return lambda arguments: convert(value(arguments))


def comma_joined_value(value: Value) -> Value:
    """Return a value with the elements of an array joined with commas."""
    return converted(value, _comma_joined)


def _comma_joined(value: Any) -> Any:
    return value if value is None or value is ABSENT else comma_joined(value)


def argument_or(name: str, default: Any) -> Value:
    """Return the value of an argument, or a default if it is absent or null."""

    def value(arguments: Arguments) -> Any:
        given = arguments.get(name)
        return default if given is None or given is ABSENT else given

    return value
