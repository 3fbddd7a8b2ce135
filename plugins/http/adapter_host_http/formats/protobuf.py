"""Protocol Buffers: one message, the first of the .proto file in `outputSchema`."""

from __future__ import annotations

from base64 import b64encode
from functools import partial
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any, Final

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from .format import Format, FormatDeclaration, FormatError, reject
from .proto import read_proto
from .schema_file import read_schema, read_within

MAX_VALUES: Final = 1_000_000
MAX_FILES: Final = 100

_KNOWN: Final = "google/protobuf/"


def compile_format(declared: FormatDeclaration) -> Format | None:
    """Compile Protocol Buffers; read the schema and its imports once."""
    file = read_schema(declared, ".proto")
    if file is None:
        return None
    path, text = file
    try:
        message = _SchemaFiles(path.parent).root(path.name, text)
    except (FormatError, OSError, TypeError, KeyError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        declared.problem(f"'{declared.schema}' is not usable: {reason}")
        return None
    return Format(
        declared.info,
        convert=partial(from_protobuf, message=message),
        encode=partial(to_protobuf, message=message),
        allows_empty=True,
    )


def from_protobuf(body: bytes, charset: str | None, message: type[Message]) -> Any:
    """Return the fields of a message by name; unset fields without presence have their defaults."""
    instance = message()
    try:
        instance.ParseFromString(body)
    except DecodeError:
        reject("it does not match the schema")
    return _Reader().message(instance)


def to_protobuf(data: Any, message: type[Message]) -> bytes:
    """Encode the data that fits the message."""
    instance = message()
    try:
        ParseDict(data, instance, ignore_unknown_fields=True)
    except ParseError:
        instance = message()
    return instance.SerializePartialToString()


class _SchemaFiles:
    """The files of one schema: from one folder, and the ones bundled with Protocol Buffers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pool = DescriptorPool()
        self._loaded: set[str] = set()
        self._open: list[str] = []

    def root(self, name: str, text: bytes) -> type[Message]:
        """Return the first message of a file."""
        file = self._load(name, text)
        if not file.message_type:
            reject("it declares no message")
        full = ".".join(filter(None, (file.package, file.message_type[0].name)))
        return GetMessageClass(self._pool.FindMessageTypeByName(full))

    def _load(self, name: str, text: bytes) -> FileDescriptorProto:
        self._loaded.add(name)
        if len(self._loaded) > MAX_FILES:
            reject(f"it imports more than {MAX_FILES} files")
        file = read_proto(text.decode(), name)
        self._open.append(name)
        for imported in file.dependency:
            if imported in self._open:
                reject(f"'{imported}' imports itself")
            if imported not in self._loaded:
                self._import(imported)
        self._open.pop()
        self._pool.Add(file)
        return file

    def _import(self, name: str) -> None:
        if not name.startswith(_KNOWN):
            try:
                self._load(name, read_within(self._folder, name)[1])
            except OSError as error:
                reject(f"cannot read '{name}': {error.strerror or error}")
            return
        self._loaded.add(name)
        try:
            module = import_module(f"google.protobuf.{PurePosixPath(name).stem}_pb2")
        except ImportError:
            reject(f"'{name}' does not exist")
        for dependency in module.DESCRIPTOR.dependencies:
            if dependency.name not in self._loaded:
                self._import(dependency.name)
        self._pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)


class _Reader:
    """Converts messages to data; counts values, since an empty message still has all of its defaults."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def message(self, message: Message) -> Any:
        """Return a message as data; bundled types as their JSON form."""
        if message.DESCRIPTOR.full_name.startswith("google.protobuf."):
            return MessageToDict(message)
        fields = [
            field for field in message.DESCRIPTOR.fields if not field.has_presence or message.HasField(field.name)
        ]
        self._left -= len(fields)
        if self._left < 0:
            reject(f"more than {MAX_VALUES:,} values")
        return {field.name: self._field(field, getattr(message, field.name)) for field in fields}

    def _field(self, field: Any, value: Any) -> Any:
        inner = field.message_type
        if inner is not None and inner.GetOptions().map_entry:
            value_field = inner.fields_by_name["value"]
            return {_key(key): self._value(value_field, item) for key, item in value.items()}
        if field.is_repeated:
            return [self._value(field, item) for item in value]
        return self._value(field, value)

    def _value(self, field: Any, value: Any) -> Any:
        if field.message_type is not None:
            return self.message(value)
        if field.enum_type is not None:
            enum_value = field.enum_type.values_by_number.get(value)
            return value if enum_value is None else enum_value.name
        return b64encode(value).decode() if isinstance(value, bytes) else value


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)
