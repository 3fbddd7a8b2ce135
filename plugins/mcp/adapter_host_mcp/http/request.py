"""Checks of HTTP requests before MCP: headers and body size."""

from __future__ import annotations

import orjson
from aiohttp import web

from adapter_host_mcp.protocol import INVALID_REQUEST, JSON_MEDIA_TYPE

from .fast_path import accepted_types


class HttpError(Exception):
    """A request that is rejected with an HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


async def read_body(request: web.Request, limit: int) -> bytes:
    """Read the body; raise `HttpError` for more than `limit` bytes."""
    # Not `request.read()`, which applies the limit of the outermost application that the host is mounted in.
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise HttpError(413, f"the request body exceeds {limit} bytes")
    return bytes(body)


def check_headers(request: web.Request) -> bool:
    """Return whether the client accepts an event stream; raise `HttpError` unless it accepts and sends JSON."""
    accepts_json, accepts_sse = accepted_types(request)
    if not accepts_json:
        raise HttpError(406, "the client must accept application/json")
    if request.headers.get("Content-Type") != JSON_MEDIA_TYPE and request.content_type != JSON_MEDIA_TYPE:
        raise HttpError(415, "the Content-Type must be application/json")
    return accepts_sse


def error_response(error: HttpError) -> web.Response:
    """Build the response for a rejected request."""
    data = {"code": INVALID_REQUEST, "message": error.message}
    body = orjson.dumps({"jsonrpc": "2.0", "id": None, "error": data})
    allow = {"Allow": "POST"} if error.status == 405 else None
    return web.Response(body=body, status=error.status, headers=allow, content_type=JSON_MEDIA_TYPE)
