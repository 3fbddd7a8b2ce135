"""Converts requests into arguments of pass-through operations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from multidict import CIMultiDict

from adapter_host import ArgumentError, BodyTooLargeError, OperationError, UnreadableBodyError, is_decoded_by_server
from adapter_host_rest.arguments import BODY_PARAMETER

from .routes import ForwardRoute


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
        if is_decoded_by_server(request):
            arguments["headers"] = _decoded_body_headers(request)
    return arguments


def _body(request: web.Request, forward: ForwardRoute) -> AsyncIterator[bytes]:
    if (request.content_length or 0) > forward.body_limit:
        raise BodyTooLargeError(forward.body_limit)
    return _chunks(request, forward.body_limit, forward.read_timeout)


def _decoded_body_headers(request: web.Request) -> CIMultiDict[str]:
    """Return the headers of a request whose body an outer application's server decodes."""
    headers = CIMultiDict(request.headers)
    headers.popall("Content-Encoding", None)
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
                raise BodyTooLargeError(limit)
            yield chunk
    except TimeoutError:
        raise BodyTooSlowError(BODY_PARAMETER, f"no data of the body received for {read_timeout:g} s") from None
    except (web.RequestPayloadError, ConnectionError):
        raise UnreadableBodyError from None
