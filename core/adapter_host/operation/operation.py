"""What an exposer calls: operations, and the results they give."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from adapter_host.capability.model import Model
from adapter_host.capability.spec import (
    OperationSpec,
    OutputSpec,
    Semantics,
)
from adapter_host.errors import UpstreamInvalidError, UpstreamStatusError

from .inputs import Input
from .streams import close_stream, read_at_most, too_large


class ConsumedOperation(ABC):
    """One operation of a consumed API. The host matches `call` references with it at build and calls it per request.

    `resource` and `path` are what references and inference may go by; leave them None where there is no such thing.
    `outputs` are what it says of its own answers: the steps that call it get them.
    `spec` is the part of the consumer's config that declares it, for plugins that read keys of their own there.
    `media_type` is what its answers are declared to be, whatever the API says. With `binary` they are bytes, of which
    nothing is mapped; then it gives a `Result.stream` for a large one when asked to, and `max_size` is the most bytes
    that one may have.
    """

    namespace: str
    name: str
    resource: str | None = None
    path: str | None = None
    method: str | None = None
    description: str | None = None
    inputs: tuple[Input, ...] = ()
    outputs: tuple[OutputSpec, ...] = ()
    spec: Model | None = None
    media_type: str | None = None
    binary: bool = False
    max_size: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What a `call` names it by, the fullest last."""
        short = f"{self.namespace}.{self.name}"
        return (short,) if self.resource is None else (short, f"{self.namespace}.{self.resource}.{self.name}")

    @abstractmethod
    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        """Call the API; raises `UpstreamError`. With `stream`, a large body may come as `Result.stream`."""

    def describe(self) -> Mapping[str, Any]:
        """The request it makes, for people: plain data, secrets by name only."""
        return {}

    def preview(self, arguments: Arguments) -> Mapping[str, Any]:
        """The very request that `arguments` make, for people: plain data, secrets masked."""
        return {"arguments": dict(arguments)}


Arguments = Mapping[str, Any]
"""What a caller gives: values by input name, typed as JSON; an absent input is not in it."""


JSON: Final = "application/json"


class Result:
    """What a call gives: a status, a media type (a Content-Type's whole value) and a body.

    Give `data`, or `body`, or a `stream` of bytes; each of the first two is made from the other when asked for, once.
    A `stream` stands for a body too large to hold: whoever takes the result reads it to its end or closes it.
    """

    __slots__ = ("_body", "_data", "_decode", "headers", "media_type", "status", "stream")

    def __init__(
        self,
        *,
        status: int = 200,
        media_type: str = JSON,
        body: bytes | None = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        decode: Callable[[bytes], Any] | None = None,
        stream: AsyncIterator[bytes] | None = None,
    ) -> None:
        self.status = status
        self.media_type = media_type
        self.headers: Mapping[str, str] = headers if headers is not None else {}
        self.stream = stream
        self._body = body
        self._data = data if body is None else _UNREAD
        self._decode = decode or orjson.loads

    @property
    def body(self) -> bytes:
        """The body as bytes; data is written as JSON."""
        if self._body is None:
            self._body = orjson.dumps(self._data)
        return self._body

    @property
    def data(self) -> Any:
        """The body as plain data; None when it is empty. Raises `UpstreamInvalidError` when it is not as declared."""
        if self._data is _UNREAD:
            try:
                self._data = self._decode(self._body) if self._body else None
            except ValueError:
                raise UpstreamInvalidError("the upstream's answer is not in the declared format") from None
        return self._data

    async def hold(self, limit: int) -> Result:
        """The same with a `stream` read into its body; raises `UpstreamInvalidError` for more than `limit` bytes."""
        stream, self.stream = self.stream, None
        if stream is None:
            return self
        body = await read_at_most(limit, stream)
        if body is None:
            await close_stream(stream)
            raise too_large(limit)
        self._body, self._data = body, _UNREAD
        return self


def success(result: Result, transform: Callable[[Any], Any] | None = None, media_type: str = JSON) -> Result:
    """A call's result with what `shape` makes of its data, if that is to be; raises `UpstreamStatusError` for an error.

    `media_type` is what is said of data that `shape` has made.
    """
    if result.status >= 300:
        raise UpstreamStatusError(result.status, result.body, result.media_type, result.headers)
    if transform is None or not result.body:
        return result
    return Result(status=result.status, media_type=media_type, data=transform(result.data), headers=result.headers)


_UNREAD: Final = object()


Call = Callable[[Arguments], Awaitable[Result]]
"""A call of an operation; what `operation_wrapper` wraps."""


HeaderWriter = Callable[[MutableMapping[str, str]], None]
"""Puts headers of its own among those of a request that is about to be sent to a consumed API."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One thing that can be called, compiled.

    `call(arguments)` checks the arguments, calls, and gives a `Result`; it raises an `OperationError`. `preview` gives
    the request that a call would make instead, for people, secrets masked. `upstream` are the consumed operations it
    reaches, in order; `identity` says that the answer is passed through as it came; `semantics` what calling it means.
    `media_type` is what its answers are declared to be; with `binary` they are bytes, whatever their media type.
    """

    name: str
    description: str | None
    inputs: tuple[Input, ...]
    call: Call
    spec: OperationSpec
    upstream: tuple[ConsumedOperation, ...] = ()
    identity: bool = False
    semantics: Semantics | None = None
    media_type: str | None = None
    binary: bool = False
    output_schema: Mapping[str, Any] | None = field(default=None, repr=False)
    preview: Callable[[Arguments], Mapping[str, Any]] = field(default=dict, repr=False)

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema (2020-12) of its arguments."""
        schema: dict[str, Any] = {"type": "object", "properties": {i.name: i.schema for i in self.inputs}}
        if required := [i.name for i in self.inputs if i.required]:
            schema["required"] = required
        schema["additionalProperties"] = False
        return schema


class Operations(Mapping[OperationSpec, Operation]):
    """An exposer's operations, found by the very spec of its config that declares each.

    A spec that was left out (`--skip-invalid`) is not in it: iterate, or ask with `in`.
    """

    def __init__(self, operations: list[Operation]) -> None:
        self._operations = {id(operation.spec): operation for operation in operations}

    def __getitem__(self, spec: OperationSpec) -> Operation:
        return self._operations[id(spec)]

    def __contains__(self, spec: object) -> bool:
        return id(spec) in self._operations

    def __iter__(self) -> Iterator[OperationSpec]:
        return (operation.spec for operation in self._operations.values())

    def __len__(self) -> int:
        return len(self._operations)
