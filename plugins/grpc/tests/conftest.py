"""A client that learns a service by reflection, and one whose code is generated from the exported `.proto` file."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import grpc
from adapter_host import Host, Plugins, Settings
from adapter_host.testing import CallFailedError, FakePlugin
from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.struct_pb2 import Value
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_reflection.v1alpha import reflection_pb2
from grpc_tools import protoc

Document = dict[str, Any]

REFLECTION = "grpc.reflection.v1.ServerReflection"


def document(*operations: Mapping[str, Any], consumed: Any = (), **keys: Any) -> Document:
    """Return a document with one exposer of type grpc and the consumed API `api` in memory."""
    exposed = {"type": "grpc", "namespace": "front-door", "port": 0, "operations": list(operations)}
    return {
        "naftiko": "1.0.0-alpha2",
        "binds": [{"namespace": "env", "keys": {"TOKEN": "TOKEN"}}] if "authentication" in keys else [],
        "capability": {
            "consumes": [{"type": "fake", "namespace": "api", "operations": list(consumed)}],
            "exposes": [{**exposed, **keys}],
        },
    }


@asynccontextmanager
async def channel_to(url: str, *options: tuple[str, Any]) -> AsyncIterator[grpc.aio.Channel]:
    """Connect a client with a connection of its own."""
    settings = [("grpc.use_local_subchannel_pool", 1), *options]
    async with grpc.aio.insecure_channel(urlsplit(url).netloc, options=settings) as channel:
        yield channel


class ReflectedService:
    """The only service of a server that is not one of every server, as reflection describes it."""

    def __init__(self, channel: grpc.aio.Channel, service: ServiceDescriptor) -> None:
        self.channel = channel
        self.service = service

    @classmethod
    async def connect(cls, channel: grpc.aio.Channel, reflection: str = REFLECTION) -> ReflectedService:
        info: Any = channel.stream_stream(
            f"/{reflection}/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        stream = info()
        await stream.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        listed = await stream.read()
        names = [each.name for each in listed.list_services_response.service if not each.name.startswith("grpc.")]
        await stream.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol=names[0]))
        files = (await stream.read()).file_descriptor_response.file_descriptor_proto
        await stream.done_writing()
        await stream.read()
        pool = DescriptorPool()
        for data in reversed(files):
            pool.Add(FileDescriptorProto.FromString(data))
        return cls(channel, pool.FindServiceByName(names[0]))

    def method(self, name: str) -> tuple[MethodDescriptor, Any]:
        """Return a method, and a function that calls it with a message."""
        found = next(each for each in self.service.methods if each.name.lower() == name.lower())
        make = self.channel.unary_stream if found.server_streaming else self.channel.unary_unary
        response: Any = GetMessageClass(found.output_type)
        return found, make(
            f"/{self.service.full_name}/{found.name}",
            request_serializer=lambda message: message if isinstance(message, bytes) else message.SerializeToString(),
            response_deserializer=response.FromString,
        )

    async def call(self, name: str, arguments: Mapping[str, Any], **options: Any) -> Any:
        """Call a method with plain data, and return the plain data of its result; raise `CallFailedError`."""
        method, invoke = self.method(name)
        try:
            response = await invoke(encode(arguments, method.input_type), **options)
        except grpc.aio.AioRpcError as error:
            raise call_failed(error) from error
        return plain(response.result) if "result" in method.output_type.fields_by_name else response


def encode(arguments: Mapping[str, Any], descriptor: Descriptor) -> bytes:
    """Return a request; an argument of another type than the field's is sent as it is, which no generated code can."""
    message = GetMessageClass(descriptor)()
    wrong = b""
    for key, value in arguments.items():
        field = descriptor.fields_by_name.get(key)
        if field is None:
            # A client of another version of the service.
            wrong += _length_delimited(1000, str(value))
            continue
        try:
            setattr(message, key, value)
        except TypeError:
            wrong += _length_delimited(field.number, str(value))
    return message.SerializeToString() + wrong


def _length_delimited(number: int, text: str) -> bytes:
    tag, data = number << 3 | 2, text.encode()
    head = bytes((tag,)) if tag < 128 else bytes((tag & 127 | 128, tag >> 7))
    return head + bytes((len(data),)) + data


def plain(value: Value) -> Any:
    """Return the data of a `Value`; digits beyond those of a double are an integer."""
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return {key: plain(item) for key, item in value.struct_value.fields.items()}
    if kind == "list_value":
        return [plain(item) for item in value.list_value.values]
    if kind == "string_value" and value.string_value.isdigit():
        return int(value.string_value)
    return None if kind in (None, "null_value") else getattr(value, kind)


def error_text(error: grpc.aio.AioRpcError) -> str:
    """Return everything that a client sees of an error."""
    return f"{error.code().name} {error.details()} {status_of(error)}"


def call_failed(error: grpc.aio.AioRpcError) -> CallFailedError:
    """Return what a client reads in a status and its details."""
    info, request = ErrorInfo(), BadRequest()
    for details in status_of(error).details:
        _ = details.Unpack(info) or details.Unpack(request)
    sent = {"true": True, "false": False}.get(info.metadata.get("sent", ""))
    places = [violation.field for violation in request.field_violations]
    return CallFailedError(error_text(error), kind=error.code().name, sent=sent, place=places[0] if places else None)


def status_of(error: grpc.aio.AioRpcError) -> Status:
    """Return the status with its details."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            assert isinstance(value, bytes)
            return Status.FromString(value)
    return Status()


def build(document: Document | Path, **settings: Any) -> Host:
    """Return a host that is not started."""
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    return Host(document, plugins=plugins, settings=Settings(**{"environment": {}, **settings}))


async def run_command(*arguments: str) -> int:
    """Run the command, and return its exit code."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "adapter_host", *arguments)
    return await process.wait()


class Stubs:
    """The modules that the compiler of protobuf generates for Python from a `.proto` file."""

    def __init__(self, messages: ModuleType, services: ModuleType) -> None:
        self.messages = messages
        self.services = services


def generate(text: str, name: str, folder: Path) -> Stubs:
    """Compile a `.proto` file and import the result; `name` must be new in the process."""
    (folder / f"{name}.proto").write_text(text)
    include = str(Path(protoc.__file__).parent / "_proto")
    arguments = ["protoc", f"-I{folder}", f"-I{include}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
    assert protoc.main([*arguments, f"{name}.proto"]) == 0, text
    sys.path.insert(0, str(folder))
    try:
        importlib.invalidate_caches()
        return Stubs(importlib.import_module(f"{name}_pb2"), importlib.import_module(f"{name}_pb2_grpc"))
    finally:
        sys.path.remove(str(folder))


def bytes_of(message: Message) -> bytes:
    """Return the bytes of a message."""
    return message.SerializeToString()


def compile_descriptor(text: str, folder: Path) -> FileDescriptorProto:
    """Return the descriptor that the compiler of protobuf makes of a `.proto` file."""
    (folder / "service.proto").write_text(text)
    include = str(Path(protoc.__file__).parent / "_proto")
    target = folder / "service.pb"
    assert protoc.main(["protoc", f"-I{folder}", f"-I{include}", f"-o{target}", "service.proto"]) == 0, text
    (file,) = FileDescriptorSet.FromString(target.read_bytes()).file
    return file
