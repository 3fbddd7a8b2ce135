"""Calling tools: the same over every transport."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from adapter_host import Arguments, OperationError, new_request_id

from .answers import failure, success
from .messages import INTERNAL_ERROR
from .tools import Tool

log = logging.getLogger("adapter_host.mcp")


async def call_tool(tool: Tool, given: Arguments, headers: Mapping[str, str], *, any_output: bool) -> bytes:
    """The members of the result of a call."""
    try:
        result = await tool.operation.call(tool.arguments(given, headers))
        return success(result, tool, any_output=any_output)
    except OperationError as error:
        return failure(error)


def unexpected(method: str, params: Mapping[str, Any] | None, error: Exception) -> dict[str, Any]:
    """Log what nobody foresaw; gives the error that tells the client where to find it, and no details."""
    reference = new_request_id()
    subject = (params or {}).get("name") or (params or {}).get("uri") or ""
    log.error("%s %r failed (request %s)", method, subject, reference, exc_info=error)
    return {"code": INTERNAL_ERROR, "message": "Internal error", "data": {"request_id": reference}}
