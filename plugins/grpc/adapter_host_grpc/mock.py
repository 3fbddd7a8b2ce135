"""A mock server of a consumed API: every method responds with a sample of its response."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from .model import VALUE
from .upstream_api import Api
from .upstream_schemas import fields_of, is_bytes, is_map

_LEVELS = 3


class MockServer:
    """Serves the methods of an API on a free port of the loopback interface."""

    def __init__(self, api: Api) -> None:
        self._handlers = [
            grpc.method_handlers_generic_handler(method.containing_service.full_name, {method.name: _handler(method)})
            for method in api.methods()
        ]
        self._server: grpc.aio.Server | None = None

    async def start(self) -> str:
        """Start the server and return its URL."""
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers(self._handlers)
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        return f"grpc://127.0.0.1:{port}"

    async def stop(self) -> None:
        """Stop the server."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop(None)


def _handler(method: MethodDescriptor) -> Any:
    message = GetMessageClass(method.output_type)()
    _fill(message, _LEVELS)
    response = message.SerializeToString()

    async def respond(_: bytes, __: Any) -> bytes:
        return response

    async def stream(_: bytes, __: Any) -> AsyncIterator[bytes]:
        yield response

    if method.server_streaming:
        return grpc.unary_stream_rpc_method_handler(stream)
    return grpc.unary_unary_rpc_method_handler(respond)


def _fill(message: Message, levels: int) -> None:
    """Set the fields of a message: texts are the names of their fields, numbers 1, lists have one element."""
    if message.DESCRIPTOR.full_name.startswith("google.protobuf."):
        if message.DESCRIPTOR.full_name == VALUE:
            setattr(message, "string_value", "value")  # noqa: B010
        return
    chosen: set[str] = set()
    for field in fields_of(message):
        oneof = field.containing_oneof
        if is_map(field) or (oneof is not None and oneof.name in chosen):
            continue
        if oneof is not None:
            chosen.add(oneof.name)
        target = getattr(message, field.name)
        if field.message_type is None:
            value = _sample(field)
            if field.is_repeated:
                target.append(value)
            else:
                setattr(message, field.name, value)
        elif levels:
            inner = target.add() if field.is_repeated else target
            inner.SetInParent()
            _fill(inner, levels - 1)


def _sample(field: FieldDescriptor) -> Any:
    if field.enum_type is not None:
        values = field.enum_type.values
        return values[min(1, len(values) - 1)].number
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return field.name.encode() if is_bytes(field) else field.name
    return True if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else 1
