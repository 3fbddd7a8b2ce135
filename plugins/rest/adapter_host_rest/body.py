"""Reads and parses JSON bodies of requests within a limit."""

from __future__ import annotations

from typing import Any, Final

import orjson
from aiohttp import web

from adapter_host import ABSENT, ArgumentError, NestingError, bare_media_type, parse_json, read_body

from .arguments import BODY_PARAMETER

_NOTHING: Final = (b"", b"{}")
"""Bodies without content: some clients always send an object."""


class UnsupportedMediaTypeError(ArgumentError):
    """The Content-Type of the request body is not JSON."""

    status = 415
    title = "Unsupported media type"


async def read_json(request: web.Request, limit: int) -> Any:
    """Return the parsed body, or `ABSENT` if it is empty; raises `ArgumentError`."""
    body = await read_body(request, limit)
    return parse_body(body, request.headers.get("Content-Type")) if body else ABSENT


async def reject_body(request: web.Request, limit: int) -> None:
    """Raise `ArgumentError` if a request to an operation without inputs of the body has content."""
    if (await read_body(request, limit)).strip() not in _NOTHING:
        message = "the operation has no input of the body; send its inputs in the path, the query and the headers"
        raise ArgumentError(BODY_PARAMETER, message)


def parse_body(body: bytes, content_type: str | None) -> Any:
    """Return the data of a JSON body; raise `ArgumentError`."""
    if content_type and content_type != "application/json":
        media_type = bare_media_type(content_type)
        if media_type != "application/json" and not media_type.endswith("+json"):
            raise UnsupportedMediaTypeError(
                BODY_PARAMETER, "the body must be JSON; set Content-Type to application/json"
            )
    try:
        return parse_json(body)
    except NestingError as error:
        raise ArgumentError(BODY_PARAMETER, f"the body is {error}") from None
    except orjson.JSONDecodeError as error:
        raise ArgumentError(BODY_PARAMETER, f"invalid JSON in the body: {error.msg} at position {error.pos}") from None
