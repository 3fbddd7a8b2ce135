"""One method of a consumed API as an operation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from adapter_host import (
    ABSENT,
    ArgumentError,
    Arguments,
    ConsumedOperation,
    NestingError,
    Result,
    UpstreamInvalidError,
    describe_place,
    resolve_response_schema,
    schema_inputs,
)
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from .upstream_api import Api
from .upstream_data import Data
from .upstream_schemas import Schemas
from .values import FormError

if TYPE_CHECKING:
    from .call_credential import Metadata
    from .channel import Upstream

_LINES: Final = "application/x-ndjson"


class Connection(Protocol):
    """The way of calls: the connection to the API, and the metadata of a call."""

    @property
    def upstream(self) -> Upstream:
        """The connection; it refuses calls before the start."""

    def metadata(self) -> Metadata:
        """Return the metadata of a call."""


class GrpcMethod(ConsumedOperation):
    """Calls a unary or server-streaming method; the fields of its request are the inputs."""

    def __init__(self, connection: Connection, namespace: str, method: MethodDescriptor, api: Api, limit: int) -> None:
        self.namespace = namespace
        self.name = method.name
        self.resource = method.containing_service.name
        self.description = api.description(method)
        self._path = f"/{method.containing_service.full_name}/{method.name}"
        self._connection = connection
        self._data = Data(api.pool)
        self._request: type[Message] = GetMessageClass(method.input_type)
        self._response: type[Message] = GetMessageClass(method.output_type)
        self._streams = method.server_streaming
        self._limit = limit
        name = f"{namespace}.{method.full_name}"
        self.inputs = schema_inputs(Schemas(api.description, is_input=True).of(method.input_type), name)
        output = Schemas(api.description, is_input=False).of(method.output_type)
        if self._streams:
            defs = output.pop("$defs", {})
            output = {"type": "array", "items": output, **({"$defs": defs} if defs else {})}
            self.media_type = _LINES
        self.output_schema = resolve_response_schema(output, f"{name}.response")

    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        """Call the method; the messages of a stream are items, or a list without `stream`."""
        request = self._encode(arguments)
        upstream, metadata = self._connection.upstream, self._connection.metadata()
        if not self._streams:
            return Result(data=self._decode(await upstream.call(self._path, request, metadata)))
        result = Result(items=self._items(upstream.stream(self._path, request, metadata)))
        return result if stream else await result.hold(self._limit)

    def describe(self) -> Mapping[str, Any]:
        """Return the method and its address."""
        return {"method": self._path, "streams": self._streams}

    def preview(self, arguments: Arguments) -> Mapping[str, Any]:
        """Return the method and the message of a request."""
        present = {name: value for name, value in arguments.items() if value is not ABSENT}
        return {"method": self._path, "message": present}

    def _encode(self, arguments: Arguments) -> bytes:
        message = self._request()
        known = {item.name for item in self.inputs}
        present = {name: value for name, value in arguments.items() if name in known and value is not ABSENT}
        try:
            self._data.fill(message, present)
            return message.SerializeToString()
        except FormError as error:
            name = str(error.path[0]) if error.path else "arguments"
            raise ArgumentError(name, f"'{describe_place(error.path)}' {error.reason}") from None

    def _decode(self, data: bytes) -> Any:
        try:
            return self._data.read(self._response.FromString(data))
        except DecodeError:
            raise UpstreamInvalidError("the upstream response is no message of the declared type") from None
        except (FormError, NestingError) as error:
            raise UpstreamInvalidError(f"the upstream response has no form in JSON: {error}") from None

    async def _items(self, messages: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        try:
            async for message in messages:
                yield self._decode(message)
        finally:
            await messages.aclose()  # type: ignore[attr-defined]
