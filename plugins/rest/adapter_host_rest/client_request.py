"""Builds the request by which a client calls a route."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from adapter_host import Arguments, ClientRequest, Input, encode_json, text_of

from .body_media import json_media_type
from .route import Route
from .route_query import format_query

_UNSAFE: Final = str.maketrans({"\r": " ", "\n": " ", "\0": " "})
"""Characters that no header can carry."""


def build_request(url: str, route: Route, arguments: Arguments) -> ClientRequest:
    """Return the request; missing arguments are left out, and a missing variable of the path is its name."""
    sent = [(item, location) for item, location in route.located_inputs() if item.name in arguments]
    pairs = [pair for item, location in sent if location == "query" for pair in _pairs(item, arguments[item.name])]
    query = "&".join(filter(None, (format_query(route.query)[1:], *pairs)))
    headers = {item.request_name: _header(arguments[item.name]) for item, location in sent if location == "header"}
    if cookies := [
        f"{item.request_name}={_quoted(arguments[item.name])}" for item, location in sent if location == "cookie"
    ]:
        headers["Cookie"] = "; ".join(cookies)
    body = _body(route, arguments)
    if body is not None:
        headers["Content-Type"] = json_media_type(route.operation)
    target = f"{url.rstrip('/')}{_path(route, arguments)}{'?' if query else ''}{query}"
    return ClientRequest(route.spec.method, target, headers, body)


def _path(route: Route, arguments: Arguments) -> str:
    inputs = iter(route.variables)
    path = ""
    for segment in route.segments:
        path += "/" + quote(segment.literals[0])
        for name, literal in zip(segment.variables, segment.literals[1:], strict=True):
            item = next(inputs) or Input(name)
            path += _quoted(arguments.get(item.name, f"{{{name}}}")) + quote(literal)
    return path


def _pairs(item: Input, value: Any) -> list[str]:
    name = quote(item.request_name, safe="")
    repeats = isinstance(value, list) and len(value) > 1 and item.wire is None
    return [f"{name}={_quoted(each)}" for each in (value if repeats else [value])]


def _body(route: Route, arguments: Arguments) -> bytes | None:
    items = [item for item, location in route.located_inputs() if location == "body"]
    if whole := next((item for item in items if item.whole), None):
        return encode_json(arguments[whole.name]) if whole.name in arguments else None
    fields = {item.request_name: arguments[item.name] for item in items if item.name in arguments}
    return encode_json(fields) if items else None


def _header(value: Any) -> str:
    return _text(value).translate(_UNSAFE)


def _quoted(value: Any) -> str:
    return quote(_text(value), safe="")


def _text(value: Any) -> str:
    """Return a value as a request carries it: arrays and objects as JSON, which every style accepts."""
    return encode_json(value).decode() if isinstance(value, list | dict) else text_of(value)
