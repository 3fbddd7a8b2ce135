"""Checks of HTTP requests before MCP: headers and body size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson
from aiohttp import web

from adapter_host import ApprovalRequiredError, ArgumentError, UnsupportedCodingError
from adapter_host import read_body as read_any_body
from adapter_host_mcp.protocol import INVALID_REQUEST, JSON_MEDIA_TYPE

from .fast_path import accepted_types
from .headers import json_error

REQUIRED: Final = web.RequestKey("adapter_host_mcp_required_approval", ApprovalRequiredError)
"""The key of the error of a call that a person must approve, for the SDK endpoint, which asks the client."""


class HttpError(Exception):
    """A request that is rejected with an HTTP status, and further headers of the response."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.message = message
        self.headers = headers
        super().__init__(message)


async def read_body(request: web.Request, limit: int) -> bytes:
    """Read and decode the body; raise `HttpError` for more than `limit` bytes and for a body that cannot be read."""
    try:
        return await read_any_body(request, limit)
    except UnsupportedCodingError as error:
        raise HttpError(error.status, error.message, {"Accept-Encoding": error.accepted}) from None
    except ArgumentError as error:
        raise HttpError(error.status, error.message) from None


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
    return json_error(body, error.status, error.headers)
