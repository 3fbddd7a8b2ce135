"""A curl line to try an operation with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import orjson

from adapter_host import Authentication, Input, curl

from .route import Route

_EXAMPLES: Final[Mapping[str, Any]] = {
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "array": [],
    "object": {},
}


def try_out(url: str, route: Route, authentication: Authentication | None) -> str:
    """A curl line that calls a route with a placeholder for each input that it needs, and no secret."""
    needed = [(source, place) for source, place in route.places() if source.required]
    query = "&".join(f"{quote(i.name)}={_quoted(i)}" for i, place in needed if place == "query")
    words: list[str] = []
    for source, place in needed:
        if place == "header":
            words += ["-H", f"{source.name}: {_text(source)}"]
        elif place == "cookie":
            words += ["-b", f"{source.name}={_text(source)}"]
    if body := _body(route):
        words += ["-H", "Content-Type: application/json", "-d", body]
    target = f"{url.rstrip('/')}{_path(route)}{'?' if query else ''}{query}"
    return curl(target, authentication, method=route.spec.method, options=words)


def _path(route: Route) -> str:
    inputs = iter(route.variables)
    path = ""
    for segment in route.segments:
        path += "/" + quote(segment.literals[0])
        for name, literal in zip(segment.variables, segment.literals[1:], strict=True):
            path += _quoted(next(inputs) or Input(name)) + quote(literal)
    return path


def _quoted(source: Input) -> str:
    return quote(_text(source), safe="")


def _text(source: Input) -> str:
    example = _EXAMPLES.get(source.type or "")
    if example is None:
        return re.sub(r"[^A-Z0-9]+", "_", source.name.upper())
    return orjson.dumps(example).decode()


def _body(route: Route) -> str:
    carried = [source for source, place in route.places() if place == "body"]
    if any(source.whole for source in carried):
        return "{}"
    fields = {source.name: _EXAMPLES.get(source.type or "", "...") for source in carried}
    return orjson.dumps(fields).decode() if fields else ""
