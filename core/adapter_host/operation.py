"""What an exposer calls: operations, their inputs, and the results they give."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from .capability import OperationSpec
from .errors import ArgumentError, UnavailableError, UpstreamInvalid

if TYPE_CHECKING:
    from .adapters import ConsumedOperation

Arguments = Mapping[str, Any]
"""What a caller gives: values by input name, typed as JSON; an absent input is not in it."""

JSON: Final = "application/json"

_ARTICLES: Final = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "an array",
    "object": "an object",
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _anything(_: Any) -> bool:
    return True


_CHECKS: Final[dict[str, Callable[[Any], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: _is_number(value) and value == value // 1,
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


@dataclass(frozen=True, slots=True)
class Input:
    """One input of an operation.

    `place` is where an HTTP request carries it: path, query, header, cookie or body. `whole` means that it is the
    whole body and not one field of it. `implicit` is false for what only a document's own `with` may fill.
    """

    name: str
    type: str | None = None
    required: bool = False
    description: str | None = None
    place: str | None = None
    pattern: str | None = None
    whole: bool = False
    implicit: bool = True

    @property
    def schema(self) -> dict[str, Any]:
        """Its JSON Schema (2020-12)."""
        schema: dict[str, Any] = {}
        if self.type in _CHECKS:
            schema["type"] = self.type
        if self.description:
            schema["description"] = self.description
        if self.pattern:
            schema["pattern"] = self.pattern
        return schema

    def parse(self, text: str) -> Any:
        """The typed value of `text`, for protocols that carry text; raises `ArgumentError`."""
        try:
            return _PARSERS.get(self.type or "", str)(text)
        except ValueError:
            raise self.wrong(text) from None

    def check(self, value: Any) -> None:
        """Raise `ArgumentError` unless `value` is of the declared type and pattern."""
        if not _CHECKS.get(self.type or "", _anything)(value):
            raise self.wrong(value)
        if self.pattern and isinstance(value, str) and not re.search(self.pattern, value):
            raise ArgumentError(self.name, f"'{self.name}' must match the pattern {self.pattern}")

    def wrong(self, value: Any) -> ArgumentError:
        """The error for a value of another type."""
        wanted = _ARTICLES.get(self.type or "", "a value")
        return ArgumentError(self.name, f"'{self.name}' must be {wanted} (given {_shown(value)})")


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return _ARTICLES["object" if isinstance(value, dict) else "array"]
    text = orjson.dumps(value, default=repr).decode() if not isinstance(value, int) else str(value).lower()
    return text if len(text) <= 40 else f"{text[:40]}..."


def _parse_integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text):
        raise ValueError("not an integer")
    value = int(text)
    if not -(2**63) <= value < 2**64:
        raise ValueError("more than JSON's writer holds")
    return value


def parse_number(text: str) -> int | float:
    """The number that `text` is; raises `ValueError`."""
    if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", text):
        raise ValueError("not a number")
    if text.lstrip("+-").isdigit():
        return _parse_integer(text)
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("more than a number holds")
    return value


def _parse_boolean(text: str) -> bool:
    if text not in ("true", "false", "1", "0"):
        raise ValueError
    return text in ("true", "1")


def _parse_object(text: str) -> Any:
    value = orjson.loads(text)
    if not isinstance(value, dict):
        raise ValueError
    return value


def _parse_array(text: str) -> Any:
    return orjson.loads(text) if text.startswith("[") else [text]


_PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    "integer": _parse_integer,
    "number": parse_number,
    "boolean": _parse_boolean,
    "object": _parse_object,
    "array": _parse_array,
}


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
        body = bytearray()
        async for chunk in stream:
            body += chunk
            if len(body) > limit:
                close = getattr(stream, "aclose", None)
                if close is not None:
                    await close()
                raise UpstreamInvalid(f"the upstream's answer is larger than {limit} bytes")
        self._body, self._data = bytes(body), _UNREAD
        return self


_UNREAD: Final = object()

Call = Callable[[Arguments], Awaitable[Result]]
"""A call of an operation; what `operation_wrapper` wraps."""


class Gate:
    """Counts the calls in progress; once closed it lets no new one in."""

    __slots__ = ("_closed", "_idle", "calls")

    def __init__(self) -> None:
        self.calls = 0
        self._closed = False
        self._idle = asyncio.Event()

    def enter(self) -> None:
        """Count one call in; raises `UnavailableError` when closed."""
        if self._closed:
            raise UnavailableError("draining: no new calls are taken")
        self.calls += 1

    def leave(self) -> None:
        """Count one call out."""
        self.calls -= 1
        if self._closed and not self.calls:
            self._idle.set()

    def open(self) -> None:
        """Take calls (again)."""
        self._closed = False
        self._idle.clear()

    def close(self) -> None:
        """Take no new calls."""
        self._closed = True
        if not self.calls:
            self._idle.set()

    async def idle(self) -> None:
        """Wait until the last call in progress has ended; the gate must be closed."""
        await self._idle.wait()


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One thing that can be called, compiled.

    `call(arguments)` checks the arguments, calls, and gives a `Result`; it raises an `OperationError`. `preview` gives
    the request that a call would make instead, for people, secrets masked. `upstream` are the consumed operations it
    reaches; `identity` says that the answer is passed through as it came.
    """

    name: str
    description: str | None
    inputs: tuple[Input, ...]
    call: Call
    spec: OperationSpec
    upstream: tuple[ConsumedOperation, ...] = ()
    identity: bool = False
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
