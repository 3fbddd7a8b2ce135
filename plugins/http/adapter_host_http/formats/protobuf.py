"""Protocol Buffers: one message, the first of the .proto file in `outputSchema`."""

from __future__ import annotations

from base64 import b64encode
from functools import partial
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any, Final

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from adapter_host_http.conversions.conversion import Conversion
from adapter_host_http.conversions.errors import FormatError, reject

from .format import Format, FormatDeclaration
from .proto import read_proto
from .schema_file import read_schema, read_within

MAX_FILES: Final = 100

_KNOWN: Final = "google/protobuf/"


def compile_format(declared: FormatDeclaration) -> Format | None:
    """Compile Protocol Buffers; read the schema and its imports once."""
    file = read_schema(declared, ".proto")
    if file is None:
        return None
    path, text = file
    try:
        files = _SchemaFiles(path.parent)
        message = files.root(path.name, text)
    except (FormatError, OSError, TypeError, KeyError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        declared.problem(f"'{declared.schema}' is not usable: {reason}")
        return None
    return Format(
        declared.info,
        conversion=Conversion("protobuf", files=files.serialized, message=message.DESCRIPTOR.full_name),
        encode=partial(to_protobuf, message=message),
        allows_empty=True,
    )


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
        self.serialized: list[str] = []

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
        self._add(file.SerializeToString())
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
        self._add(module.DESCRIPTOR.serialized_pb)

    def _add(self, serialized: bytes) -> None:
        self._pool.AddSerializedFile(serialized)
        self.serialized.append(b64encode(serialized).decode())
