"""Headers of all responses, and responses without a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from adapter_host import current_call
from adapter_host_mcp.protocol import JSON_MEDIA_TYPE

HEADERS: Final[Mapping[str, str]] = {"Server": "adapter-host", "X-Content-Type-Options": "nosniff"}

REQUEST_ID: Final = "X-Request-Id"
"""The header with the id of a failed request, which is also in the log if the failure is."""


def json_response(body: bytes, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a response with a JSON-RPC message."""
    return web.Response(body=body, headers={**HEADERS, **(headers or {})}, content_type=JSON_MEDIA_TYPE)


def json_error(body: bytes, status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return the response to a rejected request, with an id."""
    identified = {**HEADERS, REQUEST_ID: current_call().request_id, **(headers or {})}
    return web.Response(body=body, status=status, headers=identified, content_type=JSON_MEDIA_TYPE)


def empty_response(status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a response without a body."""
    return web.Response(status=status, headers={**HEADERS, **(headers or {})})
