"""What an exposer calls: operations, and the results they give."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from .capability import OperationSpec, Semantics
from .errors import UpstreamInvalid, UpstreamStatus
from .inputs import Input
from .streams import read_at_most

if TYPE_CHECKING:
    from .adapters import ConsumedOperation

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
        """The body as plain data; None when it is empty. Raises `UpstreamInvalid` when it is not as declared."""
        if self._data is _UNREAD:
            try:
                self._data = self._decode(self._body) if self._body else None
            except ValueError:
                raise UpstreamInvalid("the upstream's answer is not in the declared format") from None
        return self._data

    async def hold(self, limit: int) -> Result:
        """The same with a `stream` read into its body; raises `UpstreamInvalid` for more than `limit` bytes."""
        stream, self.stream = self.stream, None
        if stream is None:
            return self
        body = await read_at_most(limit, stream)
        if body is None:
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()
            raise UpstreamInvalid(f"the upstream's answer is larger than {limit} bytes")
        self._body, self._data = body, _UNREAD
        return self


def success(result: Result, shape: Callable[[Any], Any] | None = None, media_type: str = JSON) -> Result:
    """A call's result with what `shape` makes of its data, if that is to be; raises `UpstreamStatus` for an error.

    `media_type` is what is said of data that `shape` has made.
    """
    if result.status >= 300:
        raise UpstreamStatus(result.status, result.body, result.media_type, result.headers)
    if shape is None or not result.body:
        return result
    return Result(status=result.status, media_type=media_type, data=shape(result.data), headers=result.headers)


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
