"""Plans, which build the request of a call from its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from multidict import CIMultiDict

from adapter_host import ABSENT, ArgumentError, Arguments, Input, WireFormat, encode_json, text_of
from adapter_host_http.encoding import comma_joined, cookie_encode, header_value, percent_encode

from .body import BodyBuilder
from .fields import as_list
from .request import CONTENT_TYPE, Pair, PreparedHeaders, Request
from .styles import Styled, cookie_serializer, query_serializer
from .templates import Constant, Value, render
from .url import Path


@dataclass(frozen=True, slots=True)
class Field:
    """A named value of a request; `input` is the name that errors report. Without `wire` it has no declared style."""

    name: str
    value: Value
    input: str
    wire: WireFormat | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """Location and name of an input in the request; `whole` means the complete body."""

    input: str
    in_: str
    name: str
    required: bool
    whole: bool
    wire: WireFormat | None = None


@dataclass(frozen=True, slots=True)
class RequestParts:
    """The parts of a request by location."""

    method: str
    path: Path
    query: tuple[Field, ...]
    headers: tuple[Field, ...]
    cookies: tuple[Field, ...]
    body: BodyBuilder | None


class RequestPlan:
    """Builds requests; constants are encoded in advance."""

    __slots__ = (
        "_body",
        "_cookies",
        "_defaults",
        "_has_content_type",
        "_headers",
        "_prepared",
        "_query",
        "_required",
        "inputs",
        "method",
        "path",
    )

    def __init__(self, parts: RequestParts, inputs: tuple[Input, ...]) -> None:
        self.method = parts.method
        self.path = parts.path
        self.inputs = inputs
        query = [_compile_query_field(field, parts.query) for field in parts.query]
        self._query = tuple(piece for piece in query if piece)
        self._headers = tuple(
            (field.name, field.name.lower(), field.value, field.input)
            for field in parts.headers
            if not isinstance(field.value, Constant)
        )
        self._cookies: tuple[tuple[Field, Callable[[Any], str] | None], ...] = tuple(
            (field, _compile_cookie(field, parts.cookies)) for field in parts.cookies
        )
        self._body = parts.body
        self._required = tuple(i.name for i in inputs if i.required and i.in_ != "path")
        self._split_headers(parts)

    def _split_headers(self, parts: RequestParts) -> None:
        """Separate constant headers into prepared ones, and defaults that a call can replace."""
        constants = [(f.name, comma_joined(f.value.value)) for f in parts.headers if isinstance(f.value, Constant)]
        changing = {lower for _, lower, _, _ in self._headers} | ({"cookie"} if parts.cookies else set())
        accept_codings = not any(
            name == "accept-encoding" for name in changing | {name.lower() for name, _ in constants}
        )
        fixed = [pair for pair in constants if pair[0].lower() not in changing]
        self._prepared = PreparedHeaders(fixed, accept_codings=accept_codings)
        self._defaults = {name.lower(): (name, value) for name, value in constants if name.lower() in changing}
        self._has_content_type = any(name.lower() == "content-type" for name, _ in fixed)

    def build(self, arguments: Arguments) -> Request:
        """Return the request of a call; raise `ArgumentError`."""
        try:
            return self._build(arguments)
        except orjson.JSONEncodeError:
            raise _json_error(arguments) from None

    def _build(self, arguments: Arguments) -> Request:
        for name in self._required:
            if arguments.get(name, ABSENT) is ABSENT:
                raise ArgumentError(name, f"'{name}' is required")
        target = self.path.render(arguments)
        if self._query:
            target += self._query_text(arguments)
        call_headers = self._defaults.copy()
        for name, lower, value, input_name in self._headers:
            rendered = value(arguments)
            if rendered is not ABSENT and rendered is not None:
                call_headers[lower] = name, header_value(input_name, comma_joined(rendered))
        if self._cookies:
            self._add_cookies(call_headers, arguments)
        body = self._body(arguments) if self._body else None
        if body is None:
            return Request(target, self._prepared, call_headers, None)
        if not self._has_content_type and "content-type" not in call_headers:
            call_headers["content-type"] = CONTENT_TYPE, body[1]
        return Request(target, self._prepared, call_headers, body[0])

    def constant_headers(self) -> Mapping[str, str]:
        """Return the headers of a call without header arguments."""
        return CIMultiDict((*self._prepared.pairs, *self._defaults.values()))

    def constant_query(self) -> str:
        """Return the constant part of the query, with its `?`."""
        pieces = [piece for piece in self._query if isinstance(piece, str)]
        return f"?{'&'.join(pieces)}" if pieces else ""

    def _query_text(self, arguments: Arguments) -> str:
        pieces = [text for piece in self._query if (text := piece if isinstance(piece, str) else piece(arguments))]
        return f"?{'&'.join(pieces)}" if pieces else ""

    def _add_cookies(self, call_headers: dict[str, Pair], arguments: Arguments) -> None:
        pairs = (
            f"{field.name}={cookie_encode(text_of(value))}" if serialize is None else serialize(value)
            for field, serialize in self._cookies
            if (value := render(field.value, arguments)) is not ABSENT and value is not None
        )
        if text := "; ".join(filter(None, pairs)):
            call_headers["cookie"] = "Cookie", text


def _json_error(arguments: Arguments) -> ArgumentError:
    """Return the error for the argument that JSON cannot represent."""
    for name, value in arguments.items():
        try:
            encode_json(value)
        except orjson.JSONEncodeError:
            return ArgumentError(name, f"'{name}' has a value that JSON cannot represent")
    return ArgumentError("", "the request has a value that JSON cannot represent")


def _compile_query_field(field: Field, fields: tuple[Field, ...]) -> str | Callable[[Arguments], str]:
    value = field.value
    if field.wire is not None:
        serialize = query_serializer(_styled(field, field.wire, fields))
        if isinstance(value, Constant):
            return serialize(value.value)
        return lambda arguments: serialize(value(arguments))
    prefix = f"{percent_encode(field.name)}="
    if isinstance(value, Constant):
        return _query_pairs(prefix, value.value)
    return lambda arguments: _query_pairs(prefix, value(arguments))


def _query_pairs(prefix: str, value: Any) -> str:
    if isinstance(value, str):
        return prefix + percent_encode(value)
    return "&".join(prefix + percent_encode(text_of(item)) for item in as_list(value))


def _compile_cookie(field: Field, fields: tuple[Field, ...]) -> Callable[[Any], str] | None:
    return None if field.wire is None else cookie_serializer(_styled(field, field.wire, fields))


def _styled(field: Field, wire: WireFormat, fields: tuple[Field, ...]) -> Styled:
    return Styled(field.name, wire, field.input, frozenset(other.name for other in fields if other is not field))
