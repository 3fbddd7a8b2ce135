"""Requests that are passed on as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from aiohttp import web
from multidict import CIMultiDict

from adapter_host import ArgumentError, OperationError
from adapter_host_rest.arguments import BODY
from adapter_host_rest.body import broken, too_large

from .routes import Forward

_DECODED: Final = frozenset({"gzip", "deflate", "br", "zstd"})
"""The encodings that aiohttp takes off a request's body on its own."""


class NotForwarded(OperationError):
    """A request that is more than a request and an answer."""

    status = 501
    title = "Not implemented"


class BodyTooSlow(ArgumentError):
    """The request's body did not come in time."""

    status = 408
    title = "Request timeout"


def passed_on(request: web.Request, path: str, forward: Forward) -> dict[str, Any]:
    """The request as it is passed on, its raw `path` from its root here; raises `OperationError`."""
    if "websocket" in request.headers.get("Upgrade", "").lower():
        raise NotForwarded("WebSockets are not forwarded")
    left = path.split("/")[1 + len(forward.segments) :] if forward.tail else []
    arguments: dict[str, Any] = {
        "method": request.method,
        "path": "/" + "/".join(left) if left else "",
        "query": request.rel_url.raw_query_string,
        "headers": request.headers,
    }
    if request.body_exists:
        arguments["body"] = _body(request, forward)
        arguments["headers"] = _of_body(request)
    return arguments


def _body(request: web.Request, forward: Forward) -> AsyncIterator[bytes]:
    if (request.content_length or 0) > forward.limit:
        raise too_large(forward.limit)
    return _chunks(request, forward.limit, forward.pause)


def _of_body(request: web.Request) -> CIMultiDict[str]:
    """The headers, of the body as aiohttp gives it."""
    headers = CIMultiDict(request.headers)
    if headers.get("Content-Encoding", "").strip().lower() in _DECODED:
        headers.popall("Content-Encoding")
        headers.popall("Content-Length", None)
    return headers


async def _chunks(request: web.Request, limit: int, pause: float) -> AsyncIterator[bytes]:
    taken = 0
    try:
        while True:
            async with asyncio.timeout(pause):
                chunk = await request.content.readany()
            if not chunk:
                return
            taken += len(chunk)
            if taken > limit:
                raise too_large(limit)
            yield chunk
    except TimeoutError:
        raise BodyTooSlow(BODY, f"nothing of the body came for {pause:g} s") from None
    except (web.RequestPayloadError, ConnectionError):
        raise broken() from None
