"""What a request carries, as an operation's arguments: compiled once for each operation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from adapter_host import ABSENT, ArgumentError, Input

if TYPE_CHECKING:
    from aiohttp import web

BODILESS: Final = frozenset({"GET", "DELETE", "HEAD"})

_TEXTS: Final = frozenset({None, "string"})
BODY: Final = "body"
"""What callers know the body by in messages."""


@dataclass(frozen=True, slots=True)
class _Taker:
    """Takes one input from text; `parse` is None where the text is the value."""

    name: str
    array: bool
    parse: Callable[[str], Any] | None

    @classmethod
    def of(cls, source: Input) -> _Taker:
        return cls(source.name, source.type == "array", None if source.type in _TEXTS else source.parse)

    def value(self, text: str) -> Any:
        """Its value; an empty text is one for a string alone."""
        if self.parse is None:
            return text
        return self.parse(text) if text else ABSENT


Takers = tuple[_Taker, ...]


@dataclass(frozen=True, slots=True)
class Extractor:
    """Takes an operation's arguments from requests."""

    variables: tuple[_Taker | None, ...]
    query: Takers
    headers: Takers
    cookies: Takers
    fields: Takers
    elsewhere: Takers
    """Fields that may stand in the query too."""
    whole: str | None

    @property
    def reads_body(self) -> bool:
        """Whether the body has anything for it."""
        return self.whole is not None or bool(self.fields)

    def arguments(self, request: web.Request, values: Sequence[str], body: Any) -> dict[str, Any]:
        """The arguments that the request carries; `body` is what its body holds. Raises `ArgumentError`."""
        arguments: dict[str, Any] = {}
        for taker, text in zip(self.variables, values, strict=True):
            if taker is not None:
                arguments[taker.name] = text if taker.parse is None else taker.parse(text)
        if request.rel_url.raw_query_string:
            _take(self.elsewhere, request.query, arguments)
            _take(self.query, request.query, arguments)
        if self.headers:
            _take(self.headers, request.headers, arguments)
        if self.cookies:
            self._take_cookies(request, arguments)
        if body is not ABSENT:
            self._take_body(body, arguments)
        return arguments

    def _take_cookies(self, request: web.Request, arguments: dict[str, Any]) -> None:
        for taker in self.cookies:
            text = request.cookies.get(taker.name)
            if text is not None and (value := taker.value(text)) is not ABSENT:
                arguments[taker.name] = value

    def _take_body(self, body: Any, arguments: dict[str, Any]) -> None:
        if self.whole is not None:
            arguments[self.whole] = body
        if isinstance(body, dict):
            arguments.update({taker.name: body[taker.name] for taker in self.fields if taker.name in body})
        elif self.whole is None:
            raise ArgumentError(BODY, "the body must be a JSON object")


def compile_extractor(method: str, inputs: Iterable[Input], variables: Sequence[Input | None]) -> Extractor:
    """Decide where each input comes from; those that path variables fill come from nowhere else."""
    filled = {variable.name for variable in variables if variable is not None}
    places: dict[str, list[_Taker]] = {place: [] for place in ("query", "header", "cookie", "body", "any")}
    whole = None
    for source in inputs:
        if source.whole:
            whole = source.name
        elif source.name not in filled and source.in_ != "environment":
            places[_place(source, method)].append(_Taker.of(source))
    return Extractor(
        variables=tuple(None if variable is None else _Taker.of(variable) for variable in variables),
        query=tuple(places["query"]),
        headers=tuple(places["header"]),
        cookies=tuple(places["cookie"]),
        fields=(*places["body"], *places["any"]),
        elsewhere=tuple(places["any"]),
        whole=whole,
    )


def place_of(source: Input, method: str, variables: Sequence[Input | None]) -> str:
    """Where a request carries an input, for people: path, query, header, cookie or body."""
    if any(variable is not None and variable.name == source.name for variable in variables):
        return "path"
    place = "body" if source.whole else _place(source, method)
    return "body" if place == "any" else place


def _place(source: Input, method: str) -> str:
    if source.in_ in ("header", "cookie"):
        return source.in_
    if method in BODILESS or source.in_ not in ("body", None):
        return "query"
    return source.in_ or "any"


def _take(takers: Takers, carried: Any, arguments: dict[str, Any]) -> None:
    for taker in takers:
        if taker.name not in carried:
            continue
        texts = carried.getall(taker.name)
        value = list(texts) if taker.array and len(texts) > 1 else taker.value(texts[0])
        if value is not ABSENT:
            arguments[taker.name] = value
