"""Describes requests of transports without a fast path for telemetry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server

from adapter_host import REQUEST_DESCRIPTION, BuildContext
from adapter_host_mcp.features.descriptions import STDIO, request_describer
from adapter_host_mcp.features.resources import Resource
from adapter_host_mcp.features.tools import Tool
from adapter_host_mcp.http.messages import method_name


def describe_requests(
    server: Server[None], context: BuildContext, tools: Mapping[str, Tool], resources: Sequence[Resource]
) -> Server[None]:
    """Set `REQUEST_DESCRIPTION` during the requests of a server over stdio, if a plugin reads it; return the server."""
    describer = request_describer(context, tools, resources)
    if describer is None:
        return server

    async def run_described(ctx: ServerRequestContext[None], call_next: CallNext) -> HandlerResult:
        version = ctx.protocol_version
        method = method_name(ctx.method)
        describe = partial(describer.describe, method, ctx.params, ctx.request_id, version=version, network=STDIO)
        token = REQUEST_DESCRIPTION.set(describe)
        try:
            return await call_next(ctx)
        finally:
            REQUEST_DESCRIPTION.reset(token)

    server.middleware.append(run_described)
    return server
