"""What HTTP alone has to say of a request: its body, read within a limit, and refusals."""

from __future__ import annotations

import orjson
from aiohttp import web

from adapter_host_mcp.protocol import INVALID_REQUEST, JSON

from .fast_path import accepts


class RefusalError(Exception):
    """A request that HTTP alone refuses."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


async def read(request: web.Request, limit: int) -> bytes:
    """Return the whole body; raises `RefusalError` for more than `limit` bytes."""
    # Not `request.read()`: its limit is that of the outermost application, which may be somebody else's.
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise RefusalError(413, f"the body is larger than {limit} bytes")
    return bytes(body)


def check_headers(request: web.Request) -> bool:
    """Whether the client takes a stream of events too; raises `RefusalError` when it takes or sends no JSON."""
    json, streams = accepts(request)
    if not json:
        raise RefusalError(406, "the client must accept application/json")
    if request.headers.get("Content-Type") != JSON and request.content_type != JSON:
        raise RefusalError(415, "the Content-Type must be application/json")
    return streams


def refusal_response(refusal: RefusalError) -> web.Response:
    """Return the answer to a request that is refused."""
    error = {"code": INVALID_REQUEST, "message": refusal.message}
    body = orjson.dumps({"jsonrpc": "2.0", "id": None, "error": error})
    allow = {"Allow": "POST"} if refusal.status == 405 else None
    return web.Response(body=body, status=refusal.status, headers=allow, content_type=JSON)
