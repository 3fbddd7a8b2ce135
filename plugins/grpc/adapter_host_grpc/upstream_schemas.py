"""JSON Schemas (2020-12) of the messages of a consumed API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from .model import STRUCT, VALUE

JsonSchema = dict[str, Any]

INTEGERS: Final = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
REALS: Final = frozenset({FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT})
WRAPPERS: Final = frozenset(
    f"google.protobuf.{name}Value"
    for name in ("Bool", "Bytes", "Double", "Float", "Int32", "Int64", "String", "UInt32", "UInt64")
)
TEXTS: Final = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "description": "Seconds, such as 1.5s"},
    "google.protobuf.FieldMask": {"type": "string", "description": "Names of fields, joined by commas"},
}
LIST: Final = "google.protobuf.ListValue"
ANY: Final = "google.protobuf.Any"


class Schemas:
    """Makes the schemas of messages; those of results say which fields are always there."""

    def __init__(self, describe: Callable[[Any], str | None], *, is_input: bool) -> None:
        self._describe = describe
        self._is_input = is_input
        self._defs: dict[str, JsonSchema] = {}

    def of(self, message: Descriptor) -> JsonSchema:
        """Return the schema of a message, complete in itself."""
        self._defs = {}
        schema = self._special(message) or self._object(message)
        return {**schema, "$defs": self._defs} if self._defs else schema

    def _object(self, message: Descriptor) -> JsonSchema:
        properties = {field.json_name: self._field(field) for field in fields_of(message)}
        schema: JsonSchema = {"type": "object", "properties": properties}
        required = [field.json_name for field in fields_of(message) if self._is_required(field)]
        if required:
            schema["required"] = required
        if text := self._describe(message):
            schema["description"] = text
        return schema

    def _is_required(self, field: FieldDescriptor) -> bool:
        return field.is_required or not (self._is_input or field.has_presence)

    def _field(self, field: FieldDescriptor) -> JsonSchema:
        if is_map(field):
            schema: JsonSchema = {"type": "object", "additionalProperties": self._one(map_value(field))}
        elif field.is_repeated:
            schema = {"type": "array", "items": self._one(field)}
        else:
            schema = self._one(field)
        text = self._describe(field)
        return {**schema, "description": text} if text else schema

    def _one(self, field: FieldDescriptor) -> JsonSchema:
        if field.message_type is not None:
            return self._message(field.message_type)
        if field.enum_type is not None:
            return _enum(field.enum_type)
        if field.cpp_type in INTEGERS:
            first, last = INTEGERS[field.cpp_type]
            return {"type": "integer", "minimum": first, "maximum": last}
        if field.cpp_type in REALS:
            return {"type": "number"}
        if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            return {"type": "boolean"}
        return {"type": "string", **({"contentEncoding": "base64"} if is_bytes(field) else {})}

    def _message(self, message: Descriptor) -> JsonSchema:
        special = self._special(message)
        if special is not None:
            return special
        name = message.full_name
        if name not in self._defs:
            self._defs[name] = {}
            self._defs[name] = self._object(message)
        return {"$ref": f"#/$defs/{name}"}

    def _special(self, message: Descriptor) -> JsonSchema | None:
        name = message.full_name
        if name in WRAPPERS:
            schema = self._one(fields_of(message)[0])
            return {**schema, "type": [schema["type"], "null"]}
        if name == ANY:
            return {"type": "object", "properties": {"@type": {"type": "string"}}, "required": ["@type"]}
        known = {VALUE: {}, STRUCT: {"type": "object"}, LIST: {"type": "array"}, **TEXTS}.get(name)
        return None if known is None else dict(known)


def _enum(enum: EnumDescriptor) -> JsonSchema:
    if enum.full_name == "google.protobuf.NullValue":
        return {"type": "null"}
    return {"type": "string", "enum": [value.name for value in enum.values]}


def fields_of(message: Descriptor | Message) -> list[FieldDescriptor]:
    """Return the fields of a message."""
    descriptor = message.DESCRIPTOR if isinstance(message, Message) else message
    # The types of protobuf name two implementations of one class.
    return cast("list[FieldDescriptor]", list(descriptor.fields))


def is_map(field: FieldDescriptor) -> bool:
    """Return whether a field is a map."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def map_value(field: FieldDescriptor) -> FieldDescriptor:
    """Return the field of the values of a map."""
    return _entry_field(field, "value")


def map_key(field: FieldDescriptor) -> FieldDescriptor:
    """Return the field of the keys of a map."""
    return _entry_field(field, "key")


def _entry_field(field: FieldDescriptor, name: str) -> FieldDescriptor:
    assert field.message_type is not None
    return field.message_type.fields_by_name[name]


def is_bytes(field: FieldDescriptor) -> bool:
    """Return whether a field has bytes, and not text."""
    return field.type == FieldDescriptor.TYPE_BYTES
