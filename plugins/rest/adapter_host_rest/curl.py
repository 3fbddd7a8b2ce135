"""Builds the curl command that tries a route."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import orjson

from adapter_host import Authentication, Input, curl

from .route import Route
from .route_query import format_query

_EXAMPLES: Final[Mapping[str, Any]] = {
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "array": [],
    "object": {},
}


def curl_command(url: str, route: Route, authentication: Authentication | None) -> str:
    """Return a curl command that calls a route, with placeholders for required inputs and secrets."""
    required = [(parameter, location) for parameter, location in route.located_inputs() if parameter.required]
    query = "&".join(
        f"{quote(parameter.request_name)}={_quoted_example(parameter)}"
        for parameter, location in required
        if location == "query"
    )
    options: list[str] = []
    for parameter, location in required:
        if location == "header":
            options += ["-H", f"{parameter.request_name}: {_example_text(parameter)}"]
        elif location == "cookie":
            options += ["-b", f"{parameter.request_name}={_example_text(parameter)}"]
    if body := _body(route):
        options += ["-H", "Content-Type: application/json", "-d", body]
    query = "&".join(filter(None, (format_query(route.query)[1:], query)))
    target = f"{url.rstrip('/')}{_path(route)}{'?' if query else ''}{query}"
    return curl(target, authentication, method=route.spec.method, options=options)


def _path(route: Route) -> str:
    inputs = iter(route.variables)
    path = ""
    for segment in route.segments:
        path += "/" + quote(segment.literals[0])
        for name, literal in zip(segment.variables, segment.literals[1:], strict=True):
            path += _quoted_example(next(inputs) or Input(name)) + quote(literal)
    return path


def _quoted_example(parameter: Input) -> str:
    return quote(_example_text(parameter), safe="")


def _example_text(parameter: Input) -> str:
    example = _example(parameter)
    if isinstance(example, str):
        return example
    if example is None:
        return re.sub(r"[^A-Z0-9]+", "_", parameter.name.upper())
    return orjson.dumps(example).decode()


def _example(parameter: Input) -> Any:
    """Return a value of an input; None for any text."""
    if parameter.values:
        return [parameter.values[0]] if parameter.type == "array" else parameter.values[0]
    return _EXAMPLES.get(parameter.type or "")


def _body(route: Route) -> str:
    body_inputs = [parameter for parameter, location in route.located_inputs() if location == "body"]
    if any(parameter.whole for parameter in body_inputs):
        return "{}"
    fields = {parameter.name: "..." if (value := _example(parameter)) is None else value for parameter in body_inputs}
    return orjson.dumps(fields).decode() if fields else ""
