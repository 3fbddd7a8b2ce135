"""Requests: a plan compiled once, and what it makes of the arguments of a call."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from multidict import CIMultiDict

from adapter_host import ABSENT, ArgumentError, Arguments, Input, text_of

from .body import MakeBody, several
from .encoding import cookie, header, listed, percent
from .texts import Constant, Value, render
from .url import Path

CONTENT_TYPE: Final = "Content-Type"


@dataclass(frozen=True, slots=True)
class Request:
    """What one call sends; `target` is the path and query below the base.

    One that is `as_is` is passed on: its answer is neither decoded nor followed elsewhere.
    """

    target: str
    headers: CIMultiDict[str]
    body: bytes | AsyncIterable[bytes] | None
    as_is: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One named value of a request; `input` is whom to blame for a wrong one."""

    name: str
    value: Value
    input: str


@dataclass(frozen=True, slots=True)
class Carried:
    """Where the request carries an input, and under what name; `whole` is the whole body."""

    input: str
    place: str
    name: str
    required: bool
    whole: bool


@dataclass(frozen=True, slots=True)
class RequestParts:
    """What a request is made of, by place."""

    method: str
    path: Path
    query: tuple[Field, ...]
    headers: tuple[Field, ...]
    cookies: tuple[Field, ...]
    body: MakeBody | None


class RequestPlan:
    """Makes requests. Constants are encoded already; a call appends its own values."""

    __slots__ = ("_body", "_cookies", "_headers", "_prepared", "_query", "_required", "inputs", "method", "path")

    def __init__(self, parts: RequestParts, inputs: tuple[Input, ...]) -> None:
        self.method = parts.method
        self.path = parts.path
        self.inputs = inputs
        self._query = tuple(_query_piece(field) for field in parts.query)
        self._prepared = CIMultiDict(
            (field.name, listed(field.value.value)) for field in parts.headers if isinstance(field.value, Constant)
        )
        self._headers = tuple(
            (field.name, field.value, field.input) for field in parts.headers if not isinstance(field.value, Constant)
        )
        self._cookies = parts.cookies
        self._body = parts.body
        self._required = tuple(i.name for i in inputs if i.required and i.place != "path")

    def build(self, arguments: Arguments) -> Request:
        """The request of one call; raises `ArgumentError`."""
        try:
            return self._build(arguments)
        except orjson.JSONEncodeError:
            raise _beyond_json(arguments) from None

    def _build(self, arguments: Arguments) -> Request:
        for name in self._required:
            if arguments.get(name, ABSENT) is ABSENT:
                raise ArgumentError(name, f"'{name}' is required")
        target = self.path.render(arguments)
        if self._query:
            target += self._query_text(arguments)
        headers = self._prepared.copy()
        for name, value, input_name in self._headers:
            given = value(arguments)
            if given is not ABSENT and given is not None:
                headers[name] = header(input_name, listed(given))
        if self._cookies:
            self._add_cookies(headers, arguments)
        made = self._body(arguments) if self._body else None
        if made is None:
            return Request(target, headers, None)
        headers.setdefault(CONTENT_TYPE, made[1])
        return Request(target, headers, made[0])

    def constant_headers(self) -> Mapping[str, str]:
        """The headers that no call changes."""
        return self._prepared

    def constant_query(self) -> str:
        """The query that no call changes, from its `?`."""
        pieces = [piece for piece in self._query if isinstance(piece, str)]
        return f"?{'&'.join(pieces)}" if pieces else ""

    def _query_text(self, arguments: Arguments) -> str:
        pieces = [text for piece in self._query if (text := piece if isinstance(piece, str) else piece(arguments))]
        return f"?{'&'.join(pieces)}" if pieces else ""

    def _add_cookies(self, headers: CIMultiDict[str], arguments: Arguments) -> None:
        pairs = (
            f"{field.name}={cookie(text_of(value))}"
            for field in self._cookies
            if (value := render(field.value, arguments)) is not ABSENT and value is not None
        )
        if text := "; ".join(pairs):
            headers["Cookie"] = text


def _beyond_json(arguments: Arguments) -> ArgumentError:
    """The error that names the argument with a value that JSON cannot carry."""
    for name, value in arguments.items():
        try:
            orjson.dumps(value)
        except orjson.JSONEncodeError:
            return ArgumentError(name, f"'{name}' holds a value that JSON cannot carry")
    return ArgumentError("", "the request holds a value that JSON cannot carry")


def _query_piece(field: Field) -> str | Callable[[Arguments], str]:
    prefix = f"{percent(field.name)}="
    value = field.value
    if isinstance(value, Constant):
        return _pairs(prefix, value.value)
    return lambda arguments: _pairs(prefix, value(arguments))


def _pairs(prefix: str, value: Any) -> str:
    if isinstance(value, str):
        return prefix + percent(value)
    return "&".join(prefix + percent(text_of(item)) for item in several(value))
