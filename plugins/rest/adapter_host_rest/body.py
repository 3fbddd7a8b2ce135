"""The body of a request: read and parsed, within a limit."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from adapter_host import ABSENT, ArgumentError, bare_media_type

from .arguments import BODY_PARAMETER


class BodyTooLargeError(ArgumentError):
    """The request's body is larger than the host takes."""

    status = 413
    title = "Body too large"


class UnsupportedMediaTypeError(ArgumentError):
    """The request's body is not JSON, and says so."""

    status = 415
    title = "Unsupported media type"


async def read_json(request: web.Request, limit: int) -> Any:
    """What the body holds, `ABSENT` when it is empty; raises `ArgumentError`."""
    body = await _read(request, limit)
    return _parse(body, request.headers.get("Content-Type")) if body else ABSENT


async def _read(request: web.Request, limit: int) -> bytes:
    if (request.content_length or 0) > limit:
        raise body_too_large(limit)
    # Mounted in another application, the request comes with that one's limit.
    if request.client_max_size != limit and not request.content.at_eof():
        request = request.clone(client_max_size=limit)
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise body_too_large(limit) from None
    except (web.RequestPayloadError, ConnectionError):
        raise unreadable_body() from None


def unreadable_body() -> ArgumentError:
    """The error for a body that cannot be read to its end."""
    return ArgumentError(BODY_PARAMETER, "the body broke off, or is not encoded as its headers say")


def body_too_large(limit: int) -> BodyTooLargeError:
    """The error for a body of more bytes."""
    return BodyTooLargeError(BODY_PARAMETER, f"the body must be at most {limit} bytes")


def _parse(body: bytes, content_type: str | None) -> Any:
    if content_type is not None and content_type != "application/json":
        media_type = bare_media_type(content_type)
        if media_type != "application/json" and not media_type.endswith("+json"):
            raise UnsupportedMediaTypeError(BODY_PARAMETER, "the body must be JSON (Content-Type: application/json)")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ArgumentError(BODY_PARAMETER, f"the body must be JSON ({error.msg} at {error.pos})") from None
