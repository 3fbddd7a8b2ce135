"""Methods of the service: a message in, the call of an operation, and messages out."""

from __future__ import annotations

import base64
from typing import Any, Protocol

from adapter_host import (
    Arguments,
    NestingError,
    Operation,
    Result,
    UpstreamInvalidError,
    decode_text,
    describe_place,
    is_json,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, EncodeError
from google.protobuf.message import Message as ProtoMessage
from google.protobuf.message_factory import GetMessageClass

from .calls import Call, StatusError
from .conversion import Converter, converter_of
from .model import Message, Method
from .status import Code, violation_details
from .values import FormError


class Handler(Protocol):
    """Serves the calls of one method; raises `StatusError` or `OperationError`."""

    async def __call__(self, call: Call) -> None: ...


class Codec:
    """Converts one message between its bytes and plain data."""

    def __init__(self, message: Message, package: str, pool: DescriptorPool, known: dict[int, Converter]) -> None:
        self._class: type[ProtoMessage] = GetMessageClass(pool.FindMessageTypeByName(f"{package}.{message.name}"))
        self._converter = converter_of(message, known)

    def decode(self, data: bytes) -> Any:
        """Return plain data; raise `StatusError`."""
        try:
            return self._converter.read(self._class.FromString(data))
        except DecodeError:
            raise StatusError(Code.INVALID_ARGUMENT, "the message is malformed") from None
        except NestingError as error:
            raise StatusError(Code.INVALID_ARGUMENT, f"the message is {error}") from None
        except FormError as error:
            place = describe_place(error.path)
            message = f"{place} {error.reason}"
            raise StatusError(Code.INVALID_ARGUMENT, message, violation_details(place, message)) from None

    def encode(self, data: Any) -> bytes:
        """Return the bytes of a message; raise `UpstreamInvalidError`."""
        message = self._class()
        try:
            if data is not None:
                self._converter.fill(data, message)
            return message.SerializeToString()
        except FormError as error:
            raise UpstreamInvalidError(
                f"the result has no form in protobuf: {describe_place(error.path)} {error.reason}"
            ) from None
        except (EncodeError, RecursionError):
            raise UpstreamInvalidError("the result has no form in protobuf: it is nested too deeply") from None


class OperationMethod:
    """Calls one operation."""

    def __init__(self, operation: Operation, method: Method, request: Codec, response: Codec, limit: int) -> None:
        self._operation = operation
        self._streams = method.streams
        self._request = request
        self._response = response
        self._limit = limit

    async def __call__(self, call: Call) -> None:
        """Respond with the result, or with the items of its stream as they arrive."""
        arguments: Arguments = self._request.decode(await call.request())
        result = await self._operation.call(arguments)
        if not self._streams:
            held = await result.hold(self._limit)
            await call.respond(self._response.encode(self._data(held)))
        elif result.stream is None:
            await self._respond_with_list(call, self._data(result))
        else:
            items = result.iter_items()
            try:
                async for item in items:
                    await call.respond(self._response.encode(item))
            finally:
                await items.aclose()

    async def _respond_with_list(self, call: Call, data: Any) -> None:
        for item in data if isinstance(data, list) else [data]:
            await call.respond(self._response.encode(item))

    def _data(self, result: Result) -> Any:
        if self._operation.binary:
            return {"content": result.body, "media_type": result.media_type}
        if self._operation.output_schema is not None or is_json(result.media_type) or not result.body:
            return result.data
        try:
            return decode_text(result.body, result.media_type)
        except ValueError:
            return base64.b64encode(result.body).decode()
