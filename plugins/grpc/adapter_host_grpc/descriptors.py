"""A file of protobuf as descriptors, for reflection and for messages at run time."""

from __future__ import annotations

from typing import Final

from google.protobuf import descriptor_pool, struct_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

from .model import BLANK, Enum, Field, Message, ProtoFile, Type
from .names import pascal_case

_SCALARS: Final = {
    "string": FieldDescriptorProto.TYPE_STRING,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "uint64": FieldDescriptorProto.TYPE_UINT64,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}
_STRUCT: Final = "google/protobuf/struct.proto"


def json_names(message: Message) -> dict[str, str]:
    """Return the names in JSON of fields, by their names, that differ from those that protobuf makes of these.

    They are the declared ones, unless another field has the name in protobuf.
    """
    own = {field.name: {field.name, _default_json_name(field.name)} for field in message.fields}
    own |= {field.blank: {field.blank, _default_json_name(field.blank)} for field in message.fields if field.blank}
    # The compiler of protobuf makes a oneof of this name for an optional field.
    oneofs = {f"_{field.name}" for field in message.fields}
    found: dict[str, str] = {}
    for field in message.fields:
        key = field.key
        is_possible = key.isprintable() and key and not key.startswith("[") and not field.rest and key not in oneofs
        others = (name for name, names in own.items() if key in names and name != field.name)
        if is_possible and key != _default_json_name(field.name) and next(others, None) is None:
            found[field.name] = key
    return found


def _default_json_name(name: str) -> str:
    head, *words = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in words)


def file_descriptor(file: ProtoFile) -> FileDescriptorProto:
    """Return the descriptor of a file; the compiler of protobuf makes an equal one of its text."""
    result = FileDescriptorProto(name=file.path, package=file.package, syntax="proto3")
    for message in file.messages:
        descriptor = result.message_type.add(name=message.name)
        names = json_names(message)
        for field in message.fields:
            _add_field(descriptor, field, file.package, names.get(field.name))
        _add_presence(descriptor, message)
    for enum in file.enums:
        _add_enum(result, enum)
    if file.uses_blank:
        _add_enum(result, BLANK)
    service = result.service.add(name=file.service)
    for method in file.methods:
        added = service.method.add(name=method.name)
        added.input_type = f".{file.package}.{method.request.name}"
        added.output_type = f".{file.package}.{method.response.name}"
        if method.streams:
            added.server_streaming = True
    if file.uses_struct:
        result.dependency.append(_STRUCT)
    return result


def load(file: FileDescriptorProto) -> descriptor_pool.DescriptorPool:
    """Return a pool with a file and its imports; it raises `TypeError` for a file that is not valid."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return pool


def _add_enum(result: FileDescriptorProto, enum: Enum) -> None:
    added = result.enum_type.add(name=enum.name)
    for number, constant in enumerate(enum.constants):
        added.value.add(name=constant, number=number)


def _add_field(descriptor: DescriptorProto, field: Field, package: str, json_name: str | None) -> None:
    added = descriptor.field.add(name=field.name, number=field.number, label=FieldDescriptorProto.LABEL_OPTIONAL)
    if json_name is not None:
        added.json_name = json_name
    if field.type.collection == "map":
        entry = descriptor.nested_type.add(name=f"{pascal_case(field.name)}Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=added.label, type=FieldDescriptorProto.TYPE_STRING)
        _set_type(entry.field.add(name="value", number=2, label=added.label), field.type, package)
        added.type = FieldDescriptorProto.TYPE_MESSAGE
        added.type_name = f".{package}.{descriptor.name}.{entry.name}"
    else:
        _set_type(added, field.type, package)
    if field.type.collection != "one":
        added.label = FieldDescriptorProto.LABEL_REPEATED
    if field.blank:
        descriptor.field.add(
            name=field.blank,
            number=field.blank_number,
            label=FieldDescriptorProto.LABEL_OPTIONAL,
            type=FieldDescriptorProto.TYPE_ENUM,
            type_name=f".{package}.{BLANK.name}",
        )


def _set_type(field: FieldDescriptorProto, type_: Type, package: str) -> None:
    kind = type_.kind
    if isinstance(kind, str) and kind in _SCALARS:
        field.type = _SCALARS[kind]
    elif isinstance(kind, Enum):
        field.type, field.type_name = FieldDescriptorProto.TYPE_ENUM, f".{package}.{kind.name}"
    else:
        name = f".{package}.{kind.name}" if isinstance(kind, Message) else f".{kind}"
        field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, name


def _add_presence(descriptor: DescriptorProto, message: Message) -> None:
    """Make single scalars and enums `optional`: absent is not the default value."""
    singles = {
        field.name
        for field in message.fields
        if field.type.collection == "one" and (isinstance(field.type.kind, Enum) or field.type.kind in _SCALARS)
    }
    for field in descriptor.field:
        if field.name in singles:
            field.proto3_optional = True
            field.oneof_index = len(descriptor.oneof_decl)
            descriptor.oneof_decl.add(name=f"_{field.name}")
