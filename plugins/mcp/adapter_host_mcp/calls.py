"""Calling tools: the same over every transport."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextvars import Token
from typing import Any, Final

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, CallToolRequestParams, ErrorData
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from adapter_host import TRACE_CONTEXT, Arguments, OperationError, new_request_id

from .answers import failure, success
from .naming import LONGEST
from .tools import Tool

log = logging.getLogger("adapter_host.mcp")

_TRACE: Final = ("traceparent", "tracestate", "baggage")


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
    if not isinstance(meta, Mapping) or _TRACE[0] not in meta:
        return None
    return TRACE_CONTEXT.set({key: value for key in _TRACE if isinstance(value := meta.get(key), str)})


def unexpected(method: str, params: Mapping[str, Any] | None, error: Exception) -> ErrorData:
    """Log what nobody foresaw; the client is told where to find it, and no details."""
    reference = new_request_id()
    subject = (params or {}).get("name") or (params or {}).get("uri") or ""
    log.error("%s %r failed (request %s)", method, subject, reference, exc_info=error)
    return ErrorData(code=INTERNAL_ERROR, message="Internal error", data={"request_id": reference})


def add_calls(server: Server[None], tools: Mapping[str, Tool]) -> None:
    """Let `server` itself call tools, where no transport of ours does it past the SDK."""
    other = server.get_request_handler("tools/call")

    async def call(context: ServerRequestContext[None], params: CallToolRequestParams) -> HandlerResult:
        tool = tools.get(params.name)
        if tool is None and other is not None:
            return await other.handler(context, params)
        if tool is None:
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {params.name[:LONGEST]}")
        stateless = context.protocol_version in MODERN_PROTOCOL_VERSIONS
        members = await call_tool(tool, params.arguments or {}, {}, any_output=stateless)
        # The standard library's reader: it keeps every digit of a number.
        result = json.loads(b"{%b}" % members)
        return {"resultType": "complete", **result} if stateless else result

    server.add_request_handler("tools/call", CallToolRequestParams, call)
    server.middleware.append(_shield)


async def _shield(ctx: ServerRequestContext[None], call_next: CallNext) -> HandlerResult:
    token = carry(ctx.params)
    try:
        return await call_next(ctx)
    except (MCPError, ValidationError):
        raise
    except Exception as error:
        # The edge of the protocol: the SDK would tell the client what the error says.
        raise MCPError.from_error_data(unexpected(ctx.method, ctx.params, error)) from None
    finally:
        if token is not None:
            TRACE_CONTEXT.reset(token)
