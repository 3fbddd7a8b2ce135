"""Reading of held results, by the links in parts of them."""

from __future__ import annotations

import mcp_types as types
from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server

from adapter_host import NotFoundError, OperationError, decode_text
from adapter_host_mcp.budget.held import HeldResults

from .handlers import resource_error

Context = ServerRequestContext[None]


def add_held_results(server: Server[None], held: HeldResults) -> None:
    """Read held results by their URIs; those of other resources are read as before."""
    others = server.get_request_handler("resources/read")

    async def read(context: Context, params: types.ReadResourceRequestParams) -> HandlerResult:
        held_id = held.find_id(str(params.uri))
        try:
            if held_id is None:
                if others is not None:
                    return await others.handler(context, params)
                raise NotFoundError("resource not found")
            complete = await held.read(held_id)
        except OperationError as error:
            raise resource_error(error, str(params.uri), context.protocol_version) from error
        text = decode_text(complete.body, complete.media_type, "replace")
        contents = types.TextResourceContents(uri=params.uri, text=text, mime_type=complete.media_type)
        return types.ReadResourceResult(contents=[contents])

    server.add_request_handler("resources/read", types.ReadResourceRequestParams, read)
