"""Decoding of request bodies for the SDK, with a nesting limit."""

from __future__ import annotations

from typing import Any

import orjson
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_REQUEST, PARSE_ERROR

from adapter_host_mcp.protocol import MAX_DEPTH


def decode_body(body: bytes) -> Any:
    """Parse a JSON body; raise `MCPError` for invalid JSON and for deep nesting."""
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise MCPError(PARSE_ERROR, "Parse error: invalid JSON, or nested too deeply") from None
    # Counting brackets is much faster than walking the data, and nearly every message has few.
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _is_deep(decoded):
        raise MCPError(INVALID_REQUEST, f"the message exceeds {MAX_DEPTH} levels of nesting")
    return decoded


def _is_deep(decoded: Any) -> bool:
    level = [decoded]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)
