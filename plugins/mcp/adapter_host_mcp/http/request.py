"""What HTTP alone has to say of a request: its body, read within a limit, and refusals."""

from __future__ import annotations

import orjson
from aiohttp import web

from adapter_host_mcp.protocol import INVALID_REQUEST, JSON_MEDIA_TYPE

from .fast_path import accepted_types


class HttpError(Exception):
    """A request that HTTP alone refuses."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


async def read_body(request: web.Request, limit: int) -> bytes:
    """The whole body; raises `Refusal` for more than `limit` bytes."""
    # Not `request.read()`: its limit is that of the outermost application, which may be somebody else's.
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise HttpError(413, f"the body is larger than {limit} bytes")
    return bytes(body)


def check_headers(request: web.Request) -> bool:
    """Whether the client takes a stream of events too; raises `Refusal` when it takes or sends no JSON."""
    accepts_json, accepts_sse = accepted_types(request)
    if not accepts_json:
        raise HttpError(406, "the client must accept application/json")
    if request.headers.get("Content-Type") != JSON_MEDIA_TYPE and request.content_type != JSON_MEDIA_TYPE:
        raise HttpError(415, "the Content-Type must be application/json")
    return accepts_sse


def error_response(error: HttpError) -> web.Response:
    """The answer to a request that is refused."""
    data = {"code": INVALID_REQUEST, "message": error.message}
    body = orjson.dumps({"jsonrpc": "2.0", "id": None, "error": data})
    allow = {"Allow": "POST"} if error.status == 405 else None
    return web.Response(body=body, status=error.status, headers=allow, content_type=JSON_MEDIA_TYPE)
