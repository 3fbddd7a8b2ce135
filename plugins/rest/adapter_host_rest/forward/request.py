"""Converts requests into arguments of pass-through operations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from aiohttp import web
from multidict import CIMultiDict

from adapter_host import ArgumentError, OperationError
from adapter_host_rest.arguments import BODY_PARAMETER
from adapter_host_rest.body import body_too_large, unreadable_body

from .routes import ForwardRoute

_DECODED_BY_AIOHTTP: Final = frozenset({"gzip", "deflate", "br", "zstd"})
"""Content encodings that aiohttp decodes in request bodies."""


class NotForwardedError(OperationError):
    """The request is an upgrade, which cannot be forwarded."""

    status = 501
    title = "Not implemented"


class BodyTooSlowError(ArgumentError):
    """The request body was not received in time."""

    status = 408
    title = "Request timeout"


def forwarded_arguments(request: web.Request, path: str, forward: ForwardRoute) -> dict[str, Any]:
    """Return the arguments of a forwarded request; `path` is raw and relative to the root. Raises `OperationError`."""
    if "websocket" in request.headers.get("Upgrade", "").lower():
        raise NotForwardedError("WebSocket requests cannot be forwarded")
    tail = path.split("/")[1 + len(forward.segments) :] if forward.tail else []
    arguments: dict[str, Any] = {
        "method": request.method,
        "path": "/" + "/".join(tail) if tail else "",
        "query": request.rel_url.raw_query_string,
        "headers": request.headers,
    }
    if request.body_exists:
        arguments["body"] = _body(request, forward)
        arguments["headers"] = _decoded_body_headers(request)
    return arguments


def _body(request: web.Request, forward: ForwardRoute) -> AsyncIterator[bytes]:
    if (request.content_length or 0) > forward.body_limit:
        raise body_too_large(forward.body_limit)
    return _chunks(request, forward.body_limit, forward.read_timeout)


def _decoded_body_headers(request: web.Request) -> CIMultiDict[str]:
    """Return the request headers that match the body as aiohttp has decoded it."""
    headers = CIMultiDict(request.headers)
    if headers.get("Content-Encoding", "").strip().lower() in _DECODED_BY_AIOHTTP:
        headers.popall("Content-Encoding")
        headers.popall("Content-Length", None)
    return headers


async def _chunks(request: web.Request, limit: int, read_timeout: float) -> AsyncIterator[bytes]:
    received = 0
    try:
        while True:
            async with asyncio.timeout(read_timeout):
                chunk = await request.content.readany()
            if not chunk:
                return
            received += len(chunk)
            if received > limit:
                raise body_too_large(limit)
            yield chunk
    except TimeoutError:
        raise BodyTooSlowError(BODY_PARAMETER, f"no data of the body received for {read_timeout:g} s") from None
    except (web.RequestPayloadError, ConnectionError):
        raise unreadable_body() from None
