"""Values of the messages of a consumed API as plain data (protobuf, "JSON Mapping").

Other than there, integers of 64 bits are numbers, as plain data keeps them exact.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from adapter_host import MAX_JSON_DEPTH, NestingError
from google.protobuf import json_format
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import DoubleValue

from .model import STRUCT, VALUE
from .upstream_schemas import (
    ANY,
    INTEGERS,
    LIST,
    REALS,
    TEXTS,
    WRAPPERS,
    fields_of,
    is_bytes,
    is_map,
    map_key,
    map_value,
)
from .values import (
    FormError,
    double_of,
    number_of,
    read_list,
    read_struct,
    read_value,
    text_of,
    write_list,
    write_struct,
    write_value,
)


class Data:
    """Converts the values of messages of one API."""

    def __init__(self, pool: DescriptorPool) -> None:
        self._pool = pool

    def read(self, message: Message, depth: int = MAX_JSON_DEPTH) -> Any:
        """Return the plain data of a message; raise `FormError` or `NestingError`."""
        if not depth:
            raise NestingError
        special = self._read_special(message, depth)
        if special is not _NOT_SPECIAL:
            return special
        data: dict[str, Any] = {}
        for field in fields_of(message):
            if field.has_presence and not message.HasField(field.name):
                continue
            try:
                data[field.json_name] = self._read_field(field, getattr(message, field.name), depth - 1)
            except FormError as error:
                raise error.within(field.json_name) from None
        return data

    def _read_special(self, message: Message, depth: int) -> Any:
        name = message.DESCRIPTOR.full_name
        value: Any = message
        if name in WRAPPERS:
            return self._read_one(fields_of(message)[0], value.value, depth)
        if name in TEXTS:
            return value.ToJsonString()
        if name == VALUE:
            return read_value(value, depth)
        if name == STRUCT:
            return read_struct(value, depth)
        if name == LIST:
            return read_list(value, depth)
        if name == ANY:
            return json_format.MessageToDict(message, descriptor_pool=self._pool)
        return _NOT_SPECIAL

    def _read_field(self, field: FieldDescriptor, value: Any, depth: int) -> Any:
        if is_map(field):
            values = map_value(field)
            return {_key(key): self._read_one(values, value[key], depth) for key in value}
        if field.is_repeated:
            return [self._read_one(field, item, depth) for item in value]
        return self._read_one(field, value, depth)

    def _read_one(self, field: FieldDescriptor, value: Any, depth: int) -> Any:
        if field.message_type is not None:
            return self.read(value, depth)
        if field.enum_type is not None:
            if field.enum_type.full_name == "google.protobuf.NullValue":
                return None
            known = field.enum_type.values_by_number.get(value)
            # A newer API may send a number that its description lacks.
            return value if known is None else known.name
        if is_bytes(field):
            return base64.b64encode(value).decode()
        if isinstance(value, float):
            # JSON has no infinity and no NaN, so protobuf writes their names.
            return number_of(value) if value - value == 0 else json_format.MessageToDict(DoubleValue(value=value))
        return value

    def fill(self, message: Message, data: Any) -> None:
        """Write plain data to a message; raise `FormError`."""
        if self._fill_special(message, data):
            return
        if not isinstance(data, Mapping):
            raise FormError("must be an object")
        fields = {field.json_name: field for field in fields_of(message)}
        chosen: dict[str, str] = {}
        for key, value in data.items():
            field = fields.get(key)
            if field is None:
                raise FormError("is unknown", (key,))
            try:
                if value is None and not _takes_null(field):
                    continue
                _check_oneof(field, chosen)
                self._fill_field(message, field, value)
            except FormError as error:
                raise error.within(key) from None

    def _fill_special(self, message: Message, data: Any) -> bool:
        name = message.DESCRIPTOR.full_name
        value: Any = message
        if name in WRAPPERS:
            value.value = self._scalar(fields_of(message)[0], data)
        elif name in TEXTS or name == ANY:
            try:
                if name == ANY:
                    json_format.ParseDict(data, message, descriptor_pool=self._pool)
                else:
                    value.FromJsonString(data)
            except (ValueError, TypeError, AttributeError, json_format.ParseError):
                raise FormError(f"is no {name}") from None
        elif name == VALUE:
            write_value(data, value)
        elif name == STRUCT and isinstance(data, Mapping):
            write_struct(data, value)
        elif name == LIST and isinstance(data, list):
            write_list(data, value)
        else:
            return False
        return True

    def _fill_field(self, message: Message, field: FieldDescriptor, data: Any) -> None:
        target: Any = getattr(message, field.name)
        if is_map(field):
            self._fill_map(field, target, data)
        elif field.is_repeated:
            self._fill_list(field, target, data)
        elif field.message_type is not None:
            target.SetInParent()
            self.fill(target, data)
        else:
            setattr(message, field.name, self._scalar(field, data))

    def _fill_list(self, field: FieldDescriptor, target: Any, data: Any) -> None:
        if not isinstance(data, list | tuple):
            raise FormError("must be a list")
        for index, item in enumerate(data):
            try:
                if field.message_type is not None:
                    self.fill(target.add(), item)
                else:
                    target.append(self._scalar(field, item))
            except FormError as error:
                raise error.within(index) from None

    def _fill_map(self, field: FieldDescriptor, target: Any, data: Any) -> None:
        if not isinstance(data, Mapping):
            raise FormError("must be an object")
        keys, values = map_key(field), map_value(field)
        for name, item in data.items():
            try:
                key = self._scalar(keys, _parsed_key(keys, name))
                if values.message_type is not None:
                    target[key].SetInParent()
                    self.fill(target[key], item)
                else:
                    target[key] = self._scalar(values, item)
            except FormError as error:
                raise error.within(name) from None

    def _scalar(self, field: FieldDescriptor, data: Any) -> Any:
        kind = field.cpp_type
        if field.enum_type is not None:
            return _enum_number(field.enum_type, data)
        if kind in INTEGERS:
            return _integer(data, *INTEGERS[kind])
        if kind in REALS and isinstance(data, int | float) and not isinstance(data, bool):
            return double_of(data)
        if kind == FieldDescriptor.CPPTYPE_BOOL and isinstance(data, bool):
            return data
        if kind == FieldDescriptor.CPPTYPE_STRING and isinstance(data, str):
            return _decoded(data) if is_bytes(field) else text_of(data)
        raise FormError("has another type")


_NOT_SPECIAL: Final = object()


def _takes_null(field: FieldDescriptor) -> bool:
    if field.is_repeated:
        return False
    return (field.message_type is not None and field.message_type.full_name == VALUE) or (
        field.enum_type is not None and field.enum_type.full_name == "google.protobuf.NullValue"
    )


def _check_oneof(field: FieldDescriptor, chosen: dict[str, str]) -> None:
    oneof = field.containing_oneof
    if oneof is not None and (other := chosen.setdefault(oneof.name, field.json_name)) != field.json_name:
        raise FormError(f"is set beside '{other}'; set one of them")


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _parsed_key(field: FieldDescriptor, name: str) -> Any:
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return {"true": True, "false": False}.get(name, name)
    if field.cpp_type in INTEGERS:
        try:
            return int(name)
        except ValueError:
            raise FormError("must be an integer") from None
    return name


def _integer(data: Any, first: int, last: int) -> int:
    if isinstance(data, bool) or not isinstance(data, int | float) or data != data // 1:
        raise FormError("must be an integer")
    if not first <= data <= last:
        raise FormError(f"must be {first} to {last}")
    return int(data)


def _enum_number(enum: EnumDescriptor, data: Any) -> int:
    if data is None and enum.full_name == "google.protobuf.NullValue":
        return 0
    known = enum.values_by_name.get(data) if isinstance(data, str) else None
    if known is None:
        raise FormError("is none of the declared values")
    return known.number


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FormError("is no base64") from None
