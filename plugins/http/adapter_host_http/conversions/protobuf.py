"""Protocol Buffers: one message of a schema."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from .conversion import Convert
from .errors import reject

MAX_VALUES: Final = 1_000_000

_Field = tuple[str, bool, Callable[[Any], Any]]
"""The name of a field, whether it can be absent, and the conversion of its value."""


def converter(files: Sequence[str], message: str) -> Convert:
    """Compile the conversion of a message; `files` are serialized descriptors in base64, in order of their imports."""
    pool = DescriptorPool()
    for file in files:
        pool.AddSerializedFile(b64decode(file))
    return partial(_from_protobuf, message=GetMessageClass(pool.FindMessageTypeByName(message)))


def _from_protobuf(body: bytes, charset: str | None, limit: int, *, message: type[Message]) -> Any:
    """Return the fields of a message by name; unset fields without presence have their defaults."""
    instance = message()
    try:
        instance.ParseFromString(body)
    except DecodeError:
        reject("it does not match the schema")
    return _Reader().message(instance)


class _Reader:
    """Converts messages to data; counts values, since an empty message still has all of its defaults."""

    def __init__(self) -> None:
        self._left = MAX_VALUES
        self._fields: dict[str, list[_Field]] = {}

    def message(self, message: Message) -> Any:
        """Return a message as data; bundled types as their JSON form."""
        type_name = message.DESCRIPTOR.full_name
        if type_name.startswith("google.protobuf."):
            return MessageToDict(message)
        fields = self._fields.get(type_name)
        if fields is None:
            # Every access wraps the descriptors again, which takes longer than to read the values.
            fields = self._fields[type_name] = [self._field(field) for field in message.DESCRIPTOR.fields]
        present = [(name, read) for name, has_presence, read in fields if not has_presence or message.HasField(name)]
        self._left -= len(present)
        if self._left < 0:
            reject(f"more than {MAX_VALUES:,} values")
        return {name: read(getattr(message, name)) for name, read in present}

    def _field(self, field: Any) -> _Field:
        inner = field.message_type
        read = self._value(field)
        if inner is not None and inner.GetOptions().map_entry:
            read_entry = self._value(inner.fields_by_name["value"])
            read = lambda value: {_key(key): read_entry(item) for key, item in value.items()}  # noqa: E731
        elif field.is_repeated:
            read_item = read
            read = lambda value: [read_item(item) for item in value]  # noqa: E731
        return field.name, field.has_presence, read

    def _value(self, field: Any) -> Callable[[Any], Any]:
        if field.message_type is not None:
            return self.message
        if field.enum_type is not None:
            names = {number: value.name for number, value in field.enum_type.values_by_number.items()}
            return lambda value: names.get(value, value)
        if field.type == field.TYPE_BYTES:
            return lambda value: b64encode(value).decode()
        return _unchanged


def _unchanged(value: Any) -> Any:
    return value


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)
