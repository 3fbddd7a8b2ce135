"""Reads an operation's arguments from requests; compiled once per operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from adapter_host import ABSENT, ArgumentError, Input, did_you_mean

from .styles import DECODERS, Pairs, StyledField, compile_field, cookie_pairs, raw_pairs

if TYPE_CHECKING:
    from aiohttp import web

BODILESS_METHODS: Final = frozenset({"GET", "DELETE", "HEAD", "OPTIONS"})

_MOST_UNKNOWN: Final = 10
"""The unknown fields of a body that an error names."""

_TEXT_TYPES: Final = frozenset({None, "string"})
BODY_PARAMETER: Final = "body"
"""The name of the body in error messages."""


@dataclass(frozen=True, slots=True)
class _Field:
    """One input to be parsed from text; `parse` is None if the text is the value.

    `sent` is its name in requests. `convert` is set for an input with a schema, in which texts stand for values of
    other types.
    """

    name: str
    sent: str
    array: bool
    parse: Callable[[str], Any] | None
    convert: Callable[[Any], Any] | None = None

    @classmethod
    def from_input(cls, parameter: Input) -> _Field:
        name, sent, array = parameter.name, parameter.request_name, parameter.type == "array"
        parse = None if parameter.type in _TEXT_TYPES else parameter.parse
        convert = None if parameter.json_schema is None else parameter.converted
        if convert is not None and parse is None:
            return cls(name, sent, array, convert)
        return cls(name, sent, array, parse, convert)

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

    variables: tuple[_Field | StyledField | None, ...]
    query: _Fields
    headers: _Fields
    cookies: _Fields
    body_fields: tuple[tuple[str, str], ...]
    """The names of the fields, and their names in requests."""
    query_fallback: _Fields
    """Body fields that are also accepted in the query."""
    body_argument: str | None
    body_names: frozenset[str]
    """The names of the body fields, those in requests too."""
    renamed: _Fields
    """Body fields with another name in requests; callers may send their own."""
    locations: Mapping[str, str]
    """Where requests carry the other inputs, by name."""
    styled: Mapping[str, tuple[StyledField, ...]]
    """Inputs of queries, headers and cookies with a declared style or media type, by location."""
    reads_body: bool
    """Whether any input is read from the body."""

    @property
    def reads_outside_path(self) -> bool:
        """Return whether any input is read from the query, a header or a cookie."""
        return bool(self.query or self.headers or self.cookies or self.styled)

    @property
    def request_headers(self) -> tuple[str, ...]:
        """Return the request headers that inputs are read from."""
        styled = (field.parameter.request_name for field in self.styled.get("header", ()))
        names = (*(field.sent for field in self.headers), *styled)
        return (*names, "Cookie") if self.cookies or "cookie" in self.styled else names

    def read(self, request: web.Request, path_values: Sequence[str], body: Any) -> dict[str, Any]:
        """Return the arguments of a request; `body` is its parsed body, or `ABSENT`.

        Raises `ArgumentError` for all that cannot be read.
        """
        arguments: dict[str, Any] = {}
        errors: list[ArgumentError] = []
        for field, text in zip(self.variables, path_values, strict=True):
            try:
                if isinstance(field, _Field):
                    value = text if field.parse is None else field.parse(text)
                    arguments[field.name] = value if field.convert is None else field.convert(value)
                elif field is not None:
                    arguments[field.name] = field.from_segment(text)
            except ArgumentError as error:
                errors.append(error)
        if request.rel_url.raw_query_string:
            _read_fields(self.query_fallback, request.query, arguments, errors)
            _read_fields(self.query, request.query, arguments, errors)
        if self.headers:
            _read_fields(self.headers, request.headers, arguments, errors)
        if self.cookies:
            self._read_cookies(request, arguments, errors)
        if self.styled:
            self._read_styled(request, arguments, errors)
        if body is not ABSENT:
            self._read_body(body, arguments, errors)
        if errors:
            raise ArgumentError.combine(errors)
        return arguments

    def _read_styled(self, request: web.Request, arguments: dict[str, Any], errors: list[ArgumentError]) -> None:
        query, cookies = self.styled.get("query", ()), self.styled.get("cookie", ())
        if query:
            _read_pairs(query, raw_pairs(request.rel_url.raw_query_string), arguments, errors)
        if cookies:
            _read_pairs(cookies, cookie_pairs(request.headers.getall("Cookie", ())), arguments, errors)
        for field in self.styled.get("header", ()):
            texts = request.headers.getall(field.parameter.request_name, ())
            if texts:
                _set(field, partial(field.from_text, ",".join(texts)), arguments, errors)

    def _read_cookies(self, request: web.Request, arguments: dict[str, Any], errors: list[ArgumentError]) -> None:
        for field in self.cookies:
            text = request.cookies.get(field.sent)
            if text is not None:
                _set(field, partial(field.value, text), arguments, errors)

    def _read_body(self, body: Any, arguments: dict[str, Any], errors: list[ArgumentError]) -> None:
        if self.body_argument is not None:
            arguments[self.body_argument] = body
        if isinstance(body, dict):
            arguments.update({name: body[sent] for name, sent in self.body_fields if sent in body})
            for field in self.renamed:
                if field.name in body and field.sent not in body:
                    arguments[field.name] = body[field.name]
            if self.body_argument is None and not body.keys() <= self.body_names:
                unknown = (name for name in body if name not in self.body_names)
                errors += map(self._unknown_field, islice(unknown, _MOST_UNKNOWN))
        elif self.body_argument is None:
            errors.append(ArgumentError(BODY_PARAMETER, "the body must be a JSON object"))

    def _unknown_field(self, name: str) -> ArgumentError:
        if location := self.locations.get(name):
            return ArgumentError(name, f"{name!r} is not a field of the body; send it in the {location} only")
        hint = did_you_mean(name, self.body_names) or f" (known: {', '.join(sorted(self.body_names))})"
        return ArgumentError(name, f"unknown parameter {name!r} in the body{hint}")


def compile_argument_reader(method: str, inputs: Sequence[Input], variables: Sequence[Input | None]) -> ArgumentReader:
    """Compile the reader of a route; inputs that match a path variable are read from the path only."""
    filled = {variable.name for variable in variables if variable is not None}
    by_location: dict[str, list[_Field]] = {location: [] for location in ("query", "header", "cookie", "body", "any")}
    styled: dict[str, list[StyledField]] = {}
    body_argument = None
    for parameter in inputs:
        if parameter.whole:
            body_argument = parameter.name
        elif parameter.name not in filled and parameter.in_ != "environment":
            location = _location(parameter, method)
            if location in DECODERS and (styled_field := compile_field(parameter, location, inputs)) is not None:
                styled.setdefault(location, []).append(styled_field)
            else:
                by_location[location].append(_Field.from_input(parameter))
    body_fields = (*by_location["body"], *by_location["any"])
    locations = {each.name: parameter_location(each, method, variables) for each in inputs}
    return ArgumentReader(
        variables=tuple(map(_variable, variables)),
        query=tuple(by_location["query"]),
        headers=tuple(by_location["header"]),
        cookies=tuple(by_location["cookie"]),
        body_fields=tuple((field.name, field.sent) for field in body_fields),
        query_fallback=tuple(by_location["any"]),
        body_argument=body_argument,
        body_names=frozenset(name for field in body_fields for name in (field.sent, field.name)),
        renamed=tuple(field for field in body_fields if field.sent != field.name),
        locations={name: location for name, location in locations.items() if location != "body"},
        styled={location: tuple(fields) for location, fields in styled.items()},
        reads_body=body_argument is not None or bool(body_fields),
    )


def _variable(parameter: Input | None) -> _Field | StyledField | None:
    return None if parameter is None else compile_field(parameter, "path") or _Field.from_input(parameter)


def _set(
    field: _Field | StyledField, read: Callable[[], Any], arguments: dict[str, Any], errors: list[ArgumentError]
) -> None:
    """Set the argument of an input to what `read` returns, if that is not `ABSENT`."""
    try:
        value = read()
    except ArgumentError as error:
        errors.append(error)
        return
    if value is not ABSENT:
        arguments[field.name] = value


def _read_pairs(
    fields: Sequence[StyledField], pairs: Pairs, arguments: dict[str, Any], errors: list[ArgumentError]
) -> None:
    """Add the values of styled inputs in pairs of names and values."""
    for field in fields:
        _set(field, partial(field.from_pairs, pairs), arguments, errors)


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


def _read_fields(fields: _Fields, request_values: Any, arguments: dict[str, Any], errors: list[ArgumentError]) -> None:
    for field in fields:
        if field.sent not in request_values:
            continue
        texts = request_values.getall(field.sent)
        try:
            value = field.values(list(texts)) if field.array and len(texts) > 1 else field.value(texts[0])
        except ArgumentError as error:
            errors.append(error)
            continue
        if value is not ABSENT:
            arguments[field.name] = value
