"""Protocol Buffers: one message of a schema."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from .conversion import Convert
from .errors import reject

MAX_VALUES: Final = 1_000_000


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
