"""Bodies of requests and responses: JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import web

from .guard import RejectedError

MAX_BODY: Final = 1024 * 1024
"""Bytes of a request to the console."""


def json_response(data: Any, status: int = 200) -> web.Response:
    """Return a response with data; a text that is not valid Unicode, such as the name of a file, is escaped."""
    options = orjson.OPT_NON_STR_KEYS
    try:
        body = orjson.dumps(data, option=options, default=str)
    except TypeError:
        body = orjson.dumps(_escaped(data), option=options, default=str)
    return web.Response(body=body, status=status, content_type="application/json")


async def read_json(request: web.Request) -> Mapping[str, Any]:
    """Read the body of a request, which must be a JSON object."""
    if request.content_type != "application/json":
        raise RejectedError(415, "the Content-Type must be application/json")
    try:
        data = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise RejectedError(400, "the body is not JSON") from None
    if not isinstance(data, dict):
        raise RejectedError(400, "the body must be a JSON object")
    return data


def _escaped(data: Any) -> Any:
    if isinstance(data, str):
        return data.encode("utf-8", "backslashreplace").decode()
    if isinstance(data, Mapping):
        return {_escaped(key): _escaped(value) for key, value in data.items()}
    return [_escaped(each) for each in data] if isinstance(data, list | tuple) else data
