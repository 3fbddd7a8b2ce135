"""The body of a request: read and decoded within limits."""

from __future__ import annotations

from typing import Any, Final

import orjson
from aiohttp import web
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_REQUEST, PARSE_ERROR

DEPTH: Final = 100
"""How deep objects and arrays of a message may be nested; what comes after us may be less patient."""


class Refusal(Exception):
    """A request that HTTP alone refuses."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


async def read(request: web.Request, limit: int) -> bytes:
    """The whole body; raises `Refusal` for more than `limit` bytes."""
    # Not `request.read()`: its limit is that of the outermost application, which may be somebody else's.
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise Refusal(413, f"the body is larger than {limit} bytes")
    return bytes(body)


def decode(body: bytes) -> Any:
    """The body as plain data; raises `MCPError`."""
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise MCPError(PARSE_ERROR, "Parse error: the body is not JSON, or is nested too deeply") from None
    # Counting brackets is much faster than walking, and nearly every message has few of them.
    if body.count(b"{") + body.count(b"[") > DEPTH and _is_deep(decoded):
        raise MCPError(INVALID_REQUEST, f"the message is nested deeper than {DEPTH} levels")
    return decoded


def _is_deep(decoded: Any) -> bool:
    level = [decoded]
    for _ in range(DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return any(isinstance(each, dict | list) for each in level)
