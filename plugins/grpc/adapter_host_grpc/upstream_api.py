"""A consumed API from its descriptors: a snapshot of reflection, or a file with a descriptor set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

_INFRASTRUCTURE: Final = "grpc."
"""The begin of the names of services that every server may have: health, reflection, channelz."""

_MESSAGES, _FIELDS, _NESTED, _SERVICES, _METHODS = 4, 2, 3, 6, 2


class DescriptorError(ValueError):
    """The descriptors are not complete or not valid; the message says why."""


class Api:
    """The services of an API, with the comments of their files if the descriptors have these."""

    def __init__(self, files: Iterable[FileDescriptorProto], services: Iterable[str] = ()) -> None:
        self.pool = DescriptorPool()
        self._comments: dict[str, str] = {}
        by_name = {file.name: file for file in files}
        for name in by_name:
            self._add(name, by_name, set())
        own = [f"{file.package}.{each.name}".lstrip(".") for file in by_name.values() for each in file.service]
        known = [name for name in own if not name.startswith(_INFRASTRUCTURE)]
        self.services = [name for name in services if name in own] or known
        self.unknown = [name for name in services if name not in own]

    @classmethod
    def from_definitions(cls, definitions: Any, services: Iterable[str] = ()) -> Api:
        """Return the API of the result of `definitions`; raise `DescriptorError`."""
        try:
            files = [json_format.ParseDict(each, FileDescriptorProto()) for each in definitions["files"].values()]
        except (json_format.ParseError, KeyError, TypeError, AttributeError) as error:
            raise DescriptorError(f"the definitions are not those of a gRPC API: {error}") from None
        return cls(files, services)

    @classmethod
    def from_descriptor_set(cls, data: bytes, services: Iterable[str] = ()) -> Api:
        """Return the API of a `FileDescriptorSet`; raise `DescriptorError`."""
        try:
            files = FileDescriptorSet.FromString(data).file
        except DecodeError:
            raise DescriptorError(
                "the file is no descriptor set; write one with 'protoc --include_imports -o'"
            ) from None
        return cls(files, services)

    def methods(self) -> Iterator[MethodDescriptor]:
        """Yield the methods with one request each, in the order of the files."""
        for name in self.services:
            yield from (method for method in self.pool.FindServiceByName(name).methods if not method.client_streaming)

    def description(self, descriptor: Any) -> str | None:
        """Return the comment of a message, field, service or method."""
        return self._comments.get(descriptor.full_name)

    def _add(self, name: str, files: Mapping[str, FileDescriptorProto], begun: set[str]) -> None:
        if name in begun:
            return
        begun.add(name)
        file = files.get(name)
        if file is None:
            raise DescriptorError(f"'{name}' is missing, which another file imports; add it with --include_imports")
        for dependency in file.dependency:
            self._add(dependency, files, begun)
        plain = FileDescriptorProto()
        plain.CopyFrom(file)
        plain.ClearField("source_code_info")
        try:
            # Adding the same file again changes nothing.
            self.pool.Add(plain)
            self.pool.FindFileByName(name)
        except (TypeError, KeyError) as error:
            raise DescriptorError(f"'{name}' is not valid: {error}") from None
        self._comments.update(_comments(file))


def definitions(files: Iterable[FileDescriptorProto]) -> dict[str, Any]:
    """Return descriptors as plain JSON, for the snapshot beside a document."""
    return {"files": {file.name: json_format.MessageToDict(file) for file in files}}


def _comments(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    """Yield the comments of a file by the names of the messages, fields, services and methods they describe."""
    names = dict(_names(file))
    for location in file.source_code_info.location:
        text = location.leading_comments.strip() or location.trailing_comments.strip()
        if text and (name := names.get(tuple(location.path))):
            yield name, "\n".join(line.strip() for line in text.splitlines())


def _names(file: FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str]]:
    prefix = f"{file.package}." if file.package else ""
    pending: list[tuple[tuple[int, ...], str, DescriptorProto]]
    pending = [((_MESSAGES, index), prefix, message) for index, message in enumerate(file.message_type)]
    while pending:
        path, scope, message = pending.pop()
        name = f"{scope}{message.name}"
        yield path, name
        for index, field in enumerate(message.field):
            yield (*path, _FIELDS, index), f"{name}.{field.name}"
        pending += [((*path, _NESTED, index), f"{name}.", each) for index, each in enumerate(message.nested_type)]
    for index, service in enumerate(file.service):
        yield (_SERVICES, index), f"{prefix}{service.name}"
        for number, method in enumerate(service.method):
            yield (_SERVICES, index, _METHODS, number), f"{prefix}{service.name}.{method.name}"
