"""Reads an operation's arguments from requests; compiled once per operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from adapter_host import ABSENT, ArgumentError, Input, did_you_mean

if TYPE_CHECKING:
    from aiohttp import web

BODILESS_METHODS: Final = frozenset({"GET", "DELETE", "HEAD", "OPTIONS"})

_TEXT_TYPES: Final = frozenset({None, "string"})
BODY_PARAMETER: Final = "body"
"""The name of the body in error messages."""


@dataclass(frozen=True, slots=True)
class _Field:
    """One input to be parsed from text; `parse` is None if the text is the value.

    `convert` is set for an input with a schema, in which texts stand for values of other types.
    """

    name: str
    array: bool
    parse: Callable[[str], Any] | None
    convert: Callable[[Any], Any] | None = None

    @classmethod
    def from_input(cls, parameter: Input) -> _Field:
        parse = None if parameter.type in _TEXT_TYPES else parameter.parse
        convert = None if parameter.json_schema is None else parameter.converted
        if convert is not None and parse is None:
            return cls(parameter.name, parameter.type == "array", convert)
        return cls(parameter.name, parameter.type == "array", parse, convert)

    def value(self, text: str) -> Any:
        """Return the parsed text; `ABSENT` for empty text, unless the input is a string."""
        if self.parse is None:
            return text
        if not text:
            return text if self.parse is self.convert else ABSENT
        return self.parse(text) if self.convert is None else self.convert(self.parse(text))

    def values(self, texts: list[str]) -> Any:
        """Return the array of texts that are sent as one parameter each."""
        return texts if self.convert is None else self.convert(texts)


_Fields = tuple[_Field, ...]


@dataclass(frozen=True, slots=True)
class ArgumentReader:
    """Reads an operation's arguments from requests."""

    variables: tuple[_Field | None, ...]
    query: _Fields
    headers: _Fields
    cookies: _Fields
    body_fields: _Fields
    query_fallback: _Fields
    """Body fields that are also accepted in the query."""
    body_argument: str | None
    body_names: frozenset[str]
    """The names of the body fields."""
    locations: Mapping[str, str]
    """Where requests carry the other inputs, by name."""

    @property
    def reads_body(self) -> bool:
        """Return whether any input is read from the body."""
        return self.body_argument is not None or bool(self.body_fields)

    @property
    def reads_outside_path(self) -> bool:
        """Return whether any input is read from the query, a header or a cookie."""
        return bool(self.query or self.headers or self.cookies)

    @property
    def request_headers(self) -> tuple[str, ...]:
        """Return the request headers that inputs are read from."""
        names = tuple(field.name for field in self.headers)
        return (*names, "Cookie") if self.cookies else names

    def read(self, request: web.Request, path_values: Sequence[str], body: Any) -> dict[str, Any]:
        """Return the arguments of a request; `body` is its parsed body, or `ABSENT`. Raises `ArgumentError`."""
        arguments: dict[str, Any] = {}
        for field, text in zip(self.variables, path_values, strict=True):
            if field is not None:
                arguments[field.name] = text if field.parse is None else field.parse(text)
                if field.convert is not None:
                    arguments[field.name] = field.convert(arguments[field.name])
        if request.rel_url.raw_query_string:
            _read_fields(self.query_fallback, request.query, arguments)
            _read_fields(self.query, request.query, arguments)
        if self.headers:
            _read_fields(self.headers, request.headers, arguments)
        if self.cookies:
            self._read_cookies(request, arguments)
        if body is not ABSENT:
            self._read_body(body, arguments)
        return arguments

    def _read_cookies(self, request: web.Request, arguments: dict[str, Any]) -> None:
        for field in self.cookies:
            text = request.cookies.get(field.name)
            if text is not None and (value := field.value(text)) is not ABSENT:
                arguments[field.name] = value

    def _read_body(self, body: Any, arguments: dict[str, Any]) -> None:
        if self.body_argument is not None:
            arguments[self.body_argument] = body
        if isinstance(body, dict):
            arguments.update({field.name: body[field.name] for field in self.body_fields if field.name in body})
            if self.body_argument is None and not body.keys() <= self.body_names:
                raise self._unknown_field(body)
        elif self.body_argument is None:
            raise ArgumentError(BODY_PARAMETER, "the body must be a JSON object")

    def _unknown_field(self, body: Mapping[str, Any]) -> ArgumentError:
        name = next(name for name in body if name not in self.body_names)
        if location := self.locations.get(name):
            return ArgumentError(name, f"{name!r} is not a field of the body; send it in the {location} only")
        hint = did_you_mean(name, self.body_names) or f" (known: {', '.join(sorted(self.body_names))})"
        return ArgumentError(name, f"unknown parameter {name!r} in the body{hint}")


def compile_argument_reader(method: str, inputs: Sequence[Input], variables: Sequence[Input | None]) -> ArgumentReader:
    """Compile the reader of a route; inputs that match a path variable are read from the path only."""
    filled = {variable.name for variable in variables if variable is not None}
    by_location: dict[str, list[_Field]] = {location: [] for location in ("query", "header", "cookie", "body", "any")}
    body_argument = None
    for parameter in inputs:
        if parameter.whole:
            body_argument = parameter.name
        elif parameter.name not in filled and parameter.in_ != "environment":
            by_location[_location(parameter, method)].append(_Field.from_input(parameter))
    body_fields = (*by_location["body"], *by_location["any"])
    locations = {each.name: parameter_location(each, method, variables) for each in inputs}
    return ArgumentReader(
        variables=tuple(None if variable is None else _Field.from_input(variable) for variable in variables),
        query=tuple(by_location["query"]),
        headers=tuple(by_location["header"]),
        cookies=tuple(by_location["cookie"]),
        body_fields=body_fields,
        query_fallback=tuple(by_location["any"]),
        body_argument=body_argument,
        body_names=frozenset(field.name for field in body_fields),
        locations={name: location for name, location in locations.items() if location != "body"},
    )


def parameter_location(parameter: Input, method: str, variables: Sequence[Input | None]) -> str:
    """Return where a request carries an input, for display: path, query, header, cookie or body."""
    if any(variable is not None and variable.name == parameter.name for variable in variables):
        return "path"
    location = "body" if parameter.whole else _location(parameter, method)
    return "body" if location == "any" else location


def _location(parameter: Input, method: str) -> str:
    if parameter.in_ in ("header", "cookie"):
        return parameter.in_
    if method in BODILESS_METHODS or parameter.in_ not in ("body", None):
        return "query"
    return parameter.in_ or "any"


def _read_fields(fields: _Fields, request_values: Any, arguments: dict[str, Any]) -> None:
    for field in fields:
        if field.name not in request_values:
            continue
        texts = request_values.getall(field.name)
        value = field.values(list(texts)) if field.array and len(texts) > 1 else field.value(texts[0])
        if value is not ABSENT:
            arguments[field.name] = value
