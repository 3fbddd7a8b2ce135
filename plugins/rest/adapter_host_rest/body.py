"""Reads and parses request bodies within a limit."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from adapter_host import ABSENT, ArgumentError, bare_media_type

from .arguments import BODY_PARAMETER


class BodyTooLargeError(ArgumentError):
    """The request body exceeds the host's limit."""

    status = 413
    title = "Body too large"


class UnsupportedMediaTypeError(ArgumentError):
    """The Content-Type of the request body is not JSON."""

    status = 415
    title = "Unsupported media type"


async def read_json(request: web.Request, limit: int) -> Any:
    """Return the parsed body, or `ABSENT` if it is empty; raises `ArgumentError`."""
    body = await _read(request, limit)
    return _parse(body, request.headers.get("Content-Type")) if body else ABSENT


async def _read(request: web.Request, limit: int) -> bytes:
    if (request.content_length or 0) > limit:
        raise body_too_large(limit)
    # A request of an outer application has the limit of that application.
    if request.client_max_size != limit and not request.content.at_eof():
        request = request.clone(client_max_size=limit)
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise body_too_large(limit) from None
    except (web.RequestPayloadError, ConnectionError):
        raise unreadable_body() from None


def unreadable_body() -> ArgumentError:
    """Return the error for a body that cannot be read completely."""
    return ArgumentError(BODY_PARAMETER, "the body is incomplete, or does not match its Content-Encoding")


def body_too_large(limit: int) -> BodyTooLargeError:
    """Return the error for a body of more than `limit` bytes."""
    return BodyTooLargeError(BODY_PARAMETER, f"the body must be at most {limit} bytes")


def _parse(body: bytes, content_type: str | None) -> Any:
    if content_type is not None and content_type != "application/json":
        media_type = bare_media_type(content_type)
        if media_type != "application/json" and not media_type.endswith("+json"):
            raise UnsupportedMediaTypeError(
                BODY_PARAMETER, "the body must be JSON; set Content-Type to application/json"
            )
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ArgumentError(BODY_PARAMETER, f"invalid JSON in the body: {error.msg} at position {error.pos}") from None
