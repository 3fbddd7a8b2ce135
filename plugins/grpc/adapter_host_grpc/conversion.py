"""Messages from plain data, and plain data from messages: compiled once for each message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from adapter_host import MAX_JSON_DEPTH, NestingError
from google.protobuf.message import Message as ProtoMessage

from .model import STRUCT, VALUE, Enum, Field, Message
from .values import FormError, double_of, number_of, read_struct, read_value, text_of, write_struct, write_value

Write = Callable[[Any], Any]
"""Converts one value of JSON to the value of a scalar field; raises `FormError`."""
Fill = Callable[[Any, Any], None]
"""Writes one value of JSON to a message; raises `FormError`."""

NULL: Final = 1
EMPTY: Final = 2


class Converter:
    """Converts the values of one message, which the model describes."""

    def __init__(self, message: Message, known: dict[int, Converter]) -> None:
        known[id(message)] = self
        self._message = message
        self._writers = {field.key: _Writer(field, known) for field in message.fields if not field.rest}
        self._rest = next((_Writer(field, known) for field in message.fields if field.rest), None)
        self._readers: dict[int, _Reader] = {field.number: _Reader(field, known) for field in message.fields}
        self._blanks = {field.blank_number: field for field in message.fields if field.blank}
        self._defaults = [field for field in message.fields if field.required and not field.rest]

    def fill(self, data: Any, target: ProtoMessage) -> None:
        """Write an object, or the value that the message wraps; raise `FormError`."""
        if self._message.wraps:
            (writer,) = self._writers.values()
            writer.write(data, target)
            return
        if not isinstance(data, Mapping):
            raise FormError(f"must be an object, not {_kind(data)}")
        others: dict[str, Any] = {}
        for key, value in data.items():
            field = self._writers.get(key)
            if field is None:
                others[key] = value
            else:
                field.write(value, target)
        if others and self._rest is not None:
            self._rest.write(others, target)

    def read(self, source: ProtoMessage, depth: int = MAX_JSON_DEPTH) -> Any:
        """Return the object of a message, or the value that it wraps; raise `FormError` or `NestingError`."""
        if not depth:
            raise NestingError
        data: dict[str, Any] = {}
        for descriptor, value in source.ListFields():
            reader = self._readers.get(descriptor.number)
            if reader is not None:
                reader.read(value, data, depth - 1)
            elif (blank := self._blanks.get(descriptor.number)) is not None:
                _read_blank(blank, value, data)
        for field in self._defaults:
            if field.key not in data:
                _add_default(field, data)
        if not self._message.wraps:
            return data
        return data.get(self._message.fields[0].key)


def _add_default(field: Field, data: dict[str, Any]) -> None:
    """Add a required value that is absent because the protocol does not send it."""
    if field.type.collection != "one":
        data[field.key] = [] if field.type.collection == "list" else {}
    elif field.nullable and field.type.kind != VALUE:
        data[field.key] = None


def _read_blank(field: Field, number: int, data: dict[str, Any]) -> None:
    if field.key in data:
        raise FormError(f"is set beside '{field.blank}'; set one of them", (field.key,))
    if number == NULL and field.nullable:
        data[field.key] = None
    elif number == EMPTY and field.type.collection != "one":
        data[field.key] = [] if field.type.collection == "list" else {}
    elif number:
        raise FormError(f"does not take {number} in '{field.blank}'", (field.key,))


class _Writer:
    """Writes the values of one field."""

    def __init__(self, field: Field, known: dict[int, Converter]) -> None:
        self._key = field.key
        self._name = field.name
        self._convert, fill = _conversion(field.type.kind, known)
        self._fill: Fill | None = fill
        self._collection = field.type.collection
        self._blank = field.blank
        self._is_value = field.type.kind == VALUE

    def write(self, data: Any, target: ProtoMessage) -> None:
        if data is None and not (self._is_value and self._collection == "one"):
            if self._blank:
                setattr(target, self._blank, NULL)
            return
        try:
            self._write(data, target)
        except FormError as error:
            raise error.within(self._key) from None

    def _write(self, data: Any, target: ProtoMessage) -> None:
        if self._collection == "list":
            self._write_list(data, getattr(target, self._name))
        elif self._collection == "map":
            self._write_map(data, getattr(target, self._name))
        elif self._fill is not None:
            inner = getattr(target, self._name)
            inner.SetInParent()
            self._fill(data, inner)
        else:
            setattr(target, self._name, self._convert(data))
        if self._blank and self._collection != "one" and not data:
            setattr(target, self._blank, EMPTY)

    def _write_list(self, data: Any, repeated: Any) -> None:
        if not isinstance(data, list | tuple):
            raise FormError(f"must be a list, not {_kind(data)}")
        for index, item in enumerate(data):
            try:
                if item is None and not self._is_value:
                    raise FormError("is null, which a list of protobuf does not carry")
                if self._fill is not None:
                    self._fill(item, repeated.add())
                else:
                    repeated.append(self._convert(item))
            except FormError as error:
                raise error.within(index) from None

    def _write_map(self, data: Any, entries: Any) -> None:
        if not isinstance(data, Mapping):
            raise FormError(f"must be an object, not {_kind(data)}")
        for key, item in data.items():
            try:
                name = text_of(key)
                if item is None and not self._is_value:
                    raise FormError("is null, which a map of protobuf does not carry")
                if self._fill is not None:
                    entries[name].SetInParent()
                    self._fill(item, entries[name])
                else:
                    entries[name] = self._convert(item)
            except FormError as error:
                raise error.within(key) from None


class _Reader:
    """Reads the values of one field."""

    def __init__(self, field: Field, known: dict[int, Converter]) -> None:
        self._field = field
        self._key = field.key
        kind = field.type.kind
        self._texts = kind.texts if isinstance(kind, Enum) else None
        self._converter = converter_of(kind, known) if isinstance(kind, Message) else None
        self._collection = field.type.collection
        self._rest = field.rest

    def read(self, value: Any, data: dict[str, Any], depth: int) -> None:
        """Add the value of a field to the object that it belongs to."""
        if self._rest:
            others = {key: self._item(item, key, depth) for key, item in value.items()}
            data.update({key: item for key, item in others.items() if key not in data})
        elif self._collection == "list":
            data[self._key] = [self._item(item, index, depth) for index, item in enumerate(value)]
        elif self._collection == "map":
            data[self._key] = {key: self._item(item, key, depth) for key, item in value.items()}
        else:
            data[self._key] = self._one(value, depth)

    def _item(self, value: Any, key: str | int, depth: int) -> Any:
        try:
            return self._value(value, depth)
        except FormError as error:
            raise error.within(key).within(self._key) from None

    def _one(self, value: Any, depth: int) -> Any:
        try:
            return self._value(value, depth)
        except FormError as error:
            raise error.within(self._key) from None

    def _value(self, value: Any, depth: int) -> Any:
        if self._converter is not None:
            return self._converter.read(value, depth)
        if self._texts is not None:
            if not 0 < value < len(self._texts):
                raise FormError(f"has no value with the number {value}; use one of 1 to {len(self._texts) - 1}")
            return self._texts[value]
        if isinstance(value, float):
            return number_of(value)
        kind = self._field.type.kind
        if kind == VALUE:
            return read_value(value, depth)
        return read_struct(value, depth) if kind == STRUCT else value


def converter_of(message: Message, known: dict[int, Converter]) -> Converter:
    """Return the converter of a message; one that refers to itself has one."""
    return known.get(id(message)) or Converter(message, known)


def _conversion(kind: Any, known: dict[int, Converter]) -> tuple[Write, Fill | None]:
    if isinstance(kind, Message):
        return _refuse, converter_of(kind, known).fill
    if isinstance(kind, Enum):
        numbers = {text: number for number, text in enumerate(kind.texts) if number}
        return lambda data: _constant(data, numbers), None
    if kind == VALUE:
        return _refuse, write_value
    return (_refuse, _fill_struct) if kind == STRUCT else (_SCALARS[kind], None)


def _fill_struct(data: Any, target: Any) -> None:
    if not isinstance(data, Mapping):
        raise FormError(f"must be an object, not {_kind(data)}")
    write_struct(data, target)


def _constant(data: Any, numbers: Mapping[str, int]) -> int:
    number = numbers.get(data) if isinstance(data, str) else None
    if number is None:
        raise FormError("is none of the declared values")
    return number


def _refuse(data: Any) -> Any:
    raise FormError(f"{_kind(data)} is not expected")


def _text(data: Any) -> str:
    if not isinstance(data, str):
        raise FormError(f"must be a text, not {_kind(data)}")
    return text_of(data)


def _boolean(data: Any) -> bool:
    if not isinstance(data, bool):
        raise FormError(f"must be true or false, not {_kind(data)}")
    return data


def _double(data: Any) -> float:
    if isinstance(data, bool) or not isinstance(data, int | float):
        raise FormError(f"must be a number, not {_kind(data)}")
    return double_of(data)


def _integer(first: int, last: int) -> Write:
    def convert(data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int | float) or data != data // 1:
            raise FormError(f"must be an integer, not {_kind(data)}")
        if not first <= data <= last:
            raise FormError("is too large for an integer of 64 bits")
        return int(data)

    return convert


def _bytes(data: Any) -> bytes:
    if not isinstance(data, bytes):
        raise FormError(f"must be bytes, not {_kind(data)}")
    return data


def _kind(data: Any) -> str:
    names = {type(None): "null", bool: "a boolean", str: "a text", list: "a list", dict: "an object"}
    return names.get(type(data), "a number" if isinstance(data, int | float) else type(data).__name__)


_SCALARS: Final[Mapping[str, Write]] = {
    "string": _text,
    "int64": _integer(-(2**63), 2**63 - 1),
    "uint64": _integer(0, 2**64 - 1),
    "double": _double,
    "bool": _boolean,
    "bytes": _bytes,
}
