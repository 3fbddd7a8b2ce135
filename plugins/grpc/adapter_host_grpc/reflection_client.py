"""Read the descriptors of an API by reflection (`grpc.reflection.v1`, else `v1alpha`)."""

from __future__ import annotations

from typing import Any, Final

from adapter_host import UpstreamInvalidError, UpstreamStatusError
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from .channel import Upstream

_PATHS: Final = (
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)
_UNIMPLEMENTED: Final = 501
_MOST_FILES: Final = 1000


async def read_files(upstream: Upstream) -> list[FileDescriptorProto]:
    """Return the files of all services and their imports, by name; raise `UpstreamError`."""
    try:
        return await _read_files(upstream, _PATHS[0])
    except UpstreamStatusError as error:
        if error.upstream_status != _UNIMPLEMENTED:
            raise
    return await _read_files(upstream, _PATHS[1])


async def _read_files(upstream: Upstream, path: str) -> list[FileDescriptorProto]:
    async def ask(request: ServerReflectionRequest) -> Any:
        return await _ask(upstream, path, request)

    listed = await ask(ServerReflectionRequest(list_services=""))
    names = [each.name for each in listed.list_services_response.service if not each.name.startswith("grpc.")]
    files: dict[str, FileDescriptorProto] = {}
    for name in names:
        _add(files, await ask(ServerReflectionRequest(file_containing_symbol=name)))
    while missing := {each for file in files.values() for each in file.dependency} - files.keys():
        if len(files) > _MOST_FILES:
            raise UpstreamInvalidError(f"the API has more than {_MOST_FILES} files")
        name = min(missing)
        _add(files, await ask(ServerReflectionRequest(file_by_filename=name)))
        if name not in files:
            raise UpstreamInvalidError("reflection does not know a file that another one imports")
    return [files[name] for name in sorted(files)]


def _add(files: dict[str, FileDescriptorProto], response: Any) -> None:
    if response.HasField("error_response"):
        raise UpstreamInvalidError(f"reflection failed: {response.error_response.error_message[:200]}")
    for data in response.file_descriptor_response.file_descriptor_proto:
        try:
            file = FileDescriptorProto.FromString(data)
        except DecodeError:
            raise UpstreamInvalidError("a file of reflection is malformed") from None
        files[file.name] = file


async def _ask(upstream: Upstream, path: str, request: ServerReflectionRequest) -> Any:
    responses = upstream.stream(path, request.SerializeToString(), ())
    try:
        async for message in responses:
            return ServerReflectionResponse.FromString(message)
    except DecodeError:
        raise UpstreamInvalidError("a response of reflection is malformed") from None
    finally:
        await responses.aclose()  # type: ignore[attr-defined]
    raise UpstreamInvalidError("reflection did not respond")
