"""Calling tools: the same over every transport."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextvars import Token
from typing import Any

from adapter_host import TRACE_CONTEXT, Arguments, OperationError, new_request_id

from .answers import failure, success
from .messages import INTERNAL_ERROR, TRACE
from .tools import Tool

log = logging.getLogger("adapter_host.mcp")


async def call_tool(tool: Tool, given: Arguments, headers: Mapping[str, str], *, any_output: bool) -> bytes:
    """The members of the result of a call."""
    try:
        result = await tool.operation.call(tool.arguments(given, headers))
        return success(result, tool, any_output=any_output)
    except OperationError as error:
        return failure(error)


def carry(params: Mapping[str, Any] | None) -> Token[Mapping[str, str] | None] | None:
    """Let what is called know the trace context that a request brings (SEP-414); gives what takes it back."""
    meta = (params or {}).get("_meta")
    if not isinstance(meta, Mapping) or TRACE[0] not in meta:
        return None
    return TRACE_CONTEXT.set({key: value for key in TRACE if isinstance(value := meta.get(key), str)})


def unexpected(method: str, params: Mapping[str, Any] | None, error: Exception) -> dict[str, Any]:
    """Log what nobody foresaw; gives the error that tells the client where to find it, and no details."""
    reference = new_request_id()
    subject = (params or {}).get("name") or (params or {}).get("uri") or ""
    log.error("%s %r failed (request %s)", method, subject, reference, exc_info=error)
    return {"code": INTERNAL_ERROR, "message": "Internal error", "data": {"request_id": reference}}
