"""Plain data as `google.protobuf.Value` and `Struct`, and back; their numbers are doubles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from adapter_host import NestingError
from google.protobuf.struct_pb2 import ListValue, Struct, Value

MAX_EXACT: Final = 2**53
"""Integers up to this one are exact as doubles; larger ones are sent as texts, as in protobuf's own JSON."""


class FormError(ValueError):
    """A value has no form in protobuf, or a message none in JSON; `path` leads to it."""

    def __init__(self, reason: str, path: tuple[str | int, ...] = ()) -> None:
        self.reason = reason
        self.path = path
        super().__init__(reason)

    def within(self, key: str | int) -> FormError:
        """Return the error with the place that the value is in."""
        return FormError(self.reason, (key, *self.path))


def write_value(data: Any, value: Value) -> None:
    """Set a `Value`; raise `FormError`."""
    if data is None:
        value.null_value = 0  # type: ignore[assignment]
    elif isinstance(data, bool):
        value.bool_value = data
    elif isinstance(data, int | float):
        _write_number(data, value)
    elif isinstance(data, str):
        value.string_value = text_of(data)
    elif isinstance(data, Mapping):
        value.struct_value.SetInParent()
        write_struct(data, value.struct_value)
    elif isinstance(data, list | tuple):
        value.list_value.SetInParent()
        write_list(data, value.list_value)
    else:
        raise FormError(f"{type(data).__name__} is no JSON")


def _write_number(data: float, value: Value) -> None:
    if isinstance(data, int) and not -MAX_EXACT <= data <= MAX_EXACT:
        value.string_value = str(data)
    else:
        value.number_value = double_of(data)


def write_struct(data: Mapping[str, Any], struct: Struct) -> None:
    """Add the members of an object to a `Struct`; raise `FormError`."""
    for key, item in data.items():
        write_value(item, struct.fields[text_of(key)])


def write_list(data: Iterable[Any], values: ListValue) -> None:
    """Add items to a `ListValue`; raise `FormError`."""
    for item in data:
        write_value(item, values.values.add())


def double_of(data: float) -> float:
    """Return the nearest double; raise `FormError` for a number that is too large for one."""
    try:
        number = float(data)
    except OverflowError:
        number = float("inf")
    if number - number != 0:
        raise FormError("is too large for a double")
    return number


def text_of(data: str) -> str:
    """Return a text that UTF-8 can carry; raise `FormError`."""
    if not data.isascii():
        try:
            data.encode()
        except UnicodeEncodeError:
            raise FormError("is no valid Unicode text") from None
    return data


def read_value(value: Value, depth: int) -> Any:
    """Return the data of a `Value`; raise `FormError`, or `NestingError` for too many levels."""
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        return number_of(value.number_value)
    if kind == "struct_value":
        return read_struct(value.struct_value, depth)
    if kind == "list_value":
        return read_list(value.list_value, depth)
    # A `Value` without a kind is null: that is what `Value()` of a client becomes.
    return None if kind is None or kind == "null_value" else getattr(value, kind)


def read_struct(struct: Struct, depth: int) -> dict[str, Any]:
    """Return the members of a `Struct`."""
    if not depth:
        raise NestingError
    return {key: read_value(item, depth - 1) for key, item in struct.fields.items()}


def read_list(values: ListValue, depth: int) -> list[Any]:
    """Return the items of a `ListValue`."""
    if not depth:
        raise NestingError
    return [read_value(item, depth - 1) for item in values.values]


def number_of(number: float) -> float:
    """Return a double as JSON would be read: `7` for 7.0; raise `FormError` for infinity and NaN."""
    if number.is_integer() and -MAX_EXACT <= number <= MAX_EXACT:
        return int(number)
    if number - number != 0:
        raise FormError("is no number of JSON")
    return number
