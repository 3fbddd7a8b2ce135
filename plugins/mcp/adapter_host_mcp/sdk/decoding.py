"""Decoding of request bodies for the SDK, with a nesting limit."""

from __future__ import annotations

from typing import Any

import orjson
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_REQUEST, PARSE_ERROR

from adapter_host import NestingError, parse_json
from adapter_host_mcp.protocol import MAX_DEPTH


def decode_body(body: bytes) -> Any:
    """Parse a JSON body; raise `MCPError` for invalid JSON and for deep nesting."""
    try:
        return parse_json(body)
    except orjson.JSONDecodeError:
        raise MCPError(PARSE_ERROR, "Parse error: invalid JSON, or nested too deeply") from None
    except NestingError:
        raise MCPError(INVALID_REQUEST, f"the message exceeds {MAX_DEPTH} levels of nesting") from None
