"""Call operations as methods of a gRPC service, with the official client and messages of the exported file."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2, status_pb2
from grpc_tools import protoc

from adapter_host import Input

from .callers import Caller, Operations, Outcome
from .same_operations import exposer_of

TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict}
KINDS = {"ARGUMENT": "argument", "REFUSED": "refused", "UPSTREAM_INVALID": "invalid response"}


class Grpc(Caller):
    """Sends the arguments as a message, with `metadata`."""

    metadata: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def exposer(operations: Operations) -> dict[str, Any]:
        """Return the exposer."""
        service = {"package": "same.v1", "service": "Same"}
        return {"type": "grpc", "namespace": "grpc", "port": 0, **service, "operations": list(operations)}

    async def start(self) -> None:
        """Compile the exported file, and open a channel."""
        exposer = exposer_of(self.served, "grpc")
        self._operations = {operation.name: operation for operation in exposer.operations.values()}
        pool = descriptor_pool.DescriptorPool()
        for file in compiled(exposer.exports()["proto"]()).file:
            pool.Add(file)
        self._methods = {plain(each.name): each for each in pool.FindServiceByName("same.v1.Same").methods}
        address = urlsplit(self.served.url("grpc")).netloc
        self._channel = await self.stack.enter_async_context(grpc.aio.insecure_channel(address))

    def can_send(self, name: str, arguments: Mapping[str, Any]) -> bool:
        """Return whether a message of the method can carry the arguments: right types, no null, nothing empty."""
        inputs = {each.name: each for each in self._operations[name].inputs}
        return all(each in inputs and carries(inputs[each], value) for each, value in arguments.items())

    async def call(self, name: str, arguments: dict[str, Any]) -> Outcome:
        """Call a method."""
        method = self._methods[plain(name)]
        request = message_factory.GetMessageClass(method.input_type)()
        try:
            json_format.ParseDict(arguments, request)
        except json_format.ParseError:
            return Outcome("not sent")
        invoke: Any = self._channel.unary_unary(
            f"/same.v1.Same/{method.name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )
        try:
            response = await invoke(request, metadata=self.metadata)
        except grpc.aio.AioRpcError as error:
            return failure(error)
        shown = json_format.MessageToDict(response)
        # A result that is no object with properties is the field `result`.
        wraps = [field.name for field in method.output_type.fields] == ["result"]
        return Outcome("message", shown.get("result") if wraps else shown)


def compiled(text: str) -> descriptor_pb2.FileDescriptorSet:
    """Return the descriptors of a .proto file and of those that it imports."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "same.proto").write_text(text)
        include = Path(protoc.__file__).parent / "_proto"
        target = Path(folder) / "set"
        assert (
            protoc.main(["protoc", f"-I{folder}", f"-I{include}", "--include_imports", f"-o{target}", "same.proto"])
            == 0
        )
        return descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes())


def carries(declared: Input, value: Any) -> bool:
    expected: Any = TYPES.get(str(declared.schema.get("type")), object)
    if isinstance(value, bool) and expected in (int, (int, float)):
        return False
    return isinstance(value, expected) and is_exact(value)


def is_exact(value: Any) -> bool:
    """Return whether a message has exactly this value: no null, nothing empty, no order of keys, and only doubles."""
    if isinstance(value, dict) and len(value) > 1:
        return False
    if isinstance(value, dict | list):
        return bool(value) and all(map(is_exact, value.values() if isinstance(value, dict) else value))
    if isinstance(value, int | float):
        return -(2**53) <= value <= 2**53 and not (isinstance(value, float) and value.is_integer())
    return value is not None


def failure(error: grpc.aio.AioRpcError) -> Outcome:
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    info = error_details_pb2.ErrorInfo()
    for each in status_pb2.Status.FromString(details).details if isinstance(details, bytes) else ():
        if each.Is(info.DESCRIPTOR):
            each.Unpack(info)
    if info.reason == "UPSTREAM_STATUS":
        return Outcome(f"status {info.metadata['upstream_status']}")
    return Outcome(KINDS.get(info.reason, "error"), message=error.details() or "")


def plain(name: str) -> str:
    """Return a name without what protobuf changes in it."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def carried(data: Any, shown: Any) -> bool:
    """Return whether a message carries data: nothing else, and less only where it is null, empty or not declared."""
    if isinstance(data, dict) and isinstance(shown, dict):
        return all(name in data and carried(data[name], value) for name, value in shown.items())
    if isinstance(data, list) and isinstance(shown, list | None):
        shown = shown or []
        return len(data) == len(shown) and all(map(carried, data, shown))
    if data is None or shown is None:
        return data in (None, {}) and shown in (None, {})
    return bool(data == shown or str(data) == shown)
