"""Failures of MCP servers as errors of upstreams."""

from __future__ import annotations

from typing import Any, Final, NoReturn, TypeVar

import orjson
from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED, INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, PARSE_ERROR, REQUEST_TIMEOUT

from adapter_host import (
    UpstreamDisconnectedError,
    UpstreamError,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    encode_json,
)

_RESOURCE_NOT_FOUND: Final = -32002
_STATUSES: Final = {INVALID_PARAMS: 400, METHOD_NOT_FOUND: 404, _RESOURCE_NOT_FOUND: 404, INTERNAL_ERROR: 500}
"""The HTTP status that corresponds to an error code of JSON-RPC; 500 for others."""

TOOL_ERROR_STATUS: Final = 422
"""The status of a tool that returns `isError`: it was called, and refuses the arguments or cannot do its work."""

ErrorT = TypeVar("ErrorT", bound=UpstreamError)


def copy_error(error: ErrorT) -> ErrorT:
    """Return the same error to be raised again, without the traceback of the first time."""
    copied = type(error).__new__(type(error))
    copied.__dict__.update(error.__dict__)
    copied.args = error.args
    return copied


def too_large(limit: int) -> UpstreamInvalidError:
    """Return the error for a response of more than `limit` bytes."""
    return UpstreamInvalidError(f"the response of the MCP server is larger than {limit} bytes")


def raise_failure(error: MCPError) -> NoReturn:
    """Raise the error of an upstream for one of the protocol."""
    if error.code == CONNECTION_CLOSED:
        raise UpstreamDisconnectedError("the MCP server closed the connection before the response") from error
    if error.code == REQUEST_TIMEOUT:
        raise UpstreamTimeoutError("the MCP server did not respond in time") from error
    if error.code == PARSE_ERROR:
        raise UpstreamInvalidError("the response of the MCP server is not a valid message") from error
    status = _STATUSES.get(error.code, 500)
    raise UpstreamStatusError(status, encode_json(_members(error)), "application/json") from error


def _members(error: MCPError) -> dict[str, Any]:
    members: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.data is not None:
        members["data"] = error.data
    return members


def tool_error(text: str, structured: Any) -> UpstreamStatusError:
    """Return the error of a tool that failed: its structured content, or its text."""
    if structured is not None:
        return UpstreamStatusError(TOOL_ERROR_STATUS, encode_json(structured), "application/json")
    return UpstreamStatusError(TOOL_ERROR_STATUS, text.encode(), "text/plain; charset=utf-8")


def is_protocol_error(body: bytes) -> bool:
    """Return whether a body is the error of a JSON-RPC request."""
    try:
        message = orjson.loads(body)
    except ValueError:
        return False
    return isinstance(message, dict) and isinstance(message.get("error"), dict) and "jsonrpc" in message
