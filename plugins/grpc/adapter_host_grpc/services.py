"""The services of every gRPC server: health (`grpc.health.v1`) and reflection (`grpc.reflection.v1` and `v1alpha`)."""

from __future__ import annotations

import asyncio
from typing import Final

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from .calls import Call, StatusError
from .status import Code

REFLECTIONS: Final = ("grpc.reflection.v1", "grpc.reflection.v1alpha")

_Request = reflection_pb2.ServerReflectionRequest
_Response = reflection_pb2.ServerReflectionResponse
_MALFORMED: Final = "the message is malformed"


class Health:
    """Reports the service, and the server as a whole, as serving until `end`."""

    def __init__(self, service: str) -> None:
        self._known = {"", service}
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Report that nothing is served any more, and end the calls that watch it."""
        self._ended.set()

    async def check(self, call: Call) -> None:
        """Serve `Check`."""
        if self._service(await call.request()) not in self._known:
            raise StatusError(Code.NOT_FOUND, "unknown service")
        await call.respond(self._status(known=True))

    async def watch(self, call: Call) -> None:
        """Serve `Watch`."""
        is_known = self._service(await call.request()) in self._known
        await call.respond(self._status(known=is_known))
        await self._ended.wait()
        raise StatusError(Code.UNAVAILABLE, "the server does not serve this any more; call again")

    @staticmethod
    def _service(message: bytes) -> str:
        try:
            return health_pb2.HealthCheckRequest.FromString(message).service
        except DecodeError:
            raise StatusError(Code.INVALID_ARGUMENT, _MALFORMED) from None

    def _status(self, *, known: bool) -> bytes:
        statuses = health_pb2.HealthCheckResponse
        serving = statuses.NOT_SERVING if self._ended.is_set() else statuses.SERVING
        return statuses(status=serving if known else statuses.SERVICE_UNKNOWN).SerializeToString()


class Reflection:
    """Describes the files of the services."""

    def __init__(self, services: tuple[str, ...], pool: DescriptorPool) -> None:
        self._services = services
        self._pool = pool

    async def describe(self, call: Call) -> None:
        """Serve `ServerReflectionInfo`: a response for each request."""
        async for message in call.requests():
            try:
                request = _Request.FromString(message)
            except DecodeError:
                raise StatusError(Code.INVALID_ARGUMENT, _MALFORMED) from None
            response = _Response(valid_host=request.host, original_request=request)
            self._describe(request, response)
            await call.respond(response.SerializeToString())

    def _describe(self, request: _Request, response: _Response) -> None:
        kind = request.WhichOneof("message_request")
        if kind == "list_services":
            for name in self._services:
                response.list_services_response.service.add(name=name)
            return
        try:
            file = self._find(kind, request)
        except KeyError:
            response.error_response.error_code = int(Code.NOT_FOUND)
            response.error_response.error_message = "unknown file, symbol or extension"
            return
        response.file_descriptor_response.file_descriptor_proto.extend(_with_imports(file))

    def _find(self, kind: str | None, request: _Request) -> FileDescriptor:
        if kind == "file_by_filename":
            return self._pool.FindFileByName(request.file_by_filename)
        if kind == "file_containing_symbol":
            return self._pool.FindFileContainingSymbol(request.file_containing_symbol)
        # No file has extensions.
        raise KeyError(kind)


def add_files(pool: DescriptorPool) -> None:
    """Add the files of the services of this module."""
    for descriptor in (health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
        pool.AddSerializedFile(descriptor.serialized_pb)
    # The versions have the same messages in packages of their own.
    file = FileDescriptorProto.FromString(reflection_pb2.DESCRIPTOR.serialized_pb)
    stable, alpha = REFLECTIONS
    file.name = f"{stable.replace('.', '/')}/reflection.proto"
    file.package = stable
    for message in file.message_type:
        for field in message.field:
            if field.type_name:
                field.type_name = field.type_name.replace(alpha, stable)
    for method in file.service[0].method:
        method.input_type = method.input_type.replace(alpha, stable)
        method.output_type = method.output_type.replace(alpha, stable)
    pool.Add(file)


def _with_imports(file: FileDescriptor) -> list[bytes]:
    files: dict[str, bytes] = {}
    pending = [file]
    while pending:
        each = pending.pop()
        if each.name not in files:
            files[each.name] = each.serialized_pb
            pending += each.dependencies
    return list(files.values())
