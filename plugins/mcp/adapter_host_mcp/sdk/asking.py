"""Clients that can ask a person: over HTTP, in a session or without one, and over standard input and output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

from adapter_host_mcp.features.approvals import ELICIT, AskingClient

if TYPE_CHECKING:
    from adapter_host_mcp.http.response import ResponseStream

    from .adapter import ClassifiedRequest
    from .client_requests import ClientRequests


def asking_client(response: ResponseStream[ClassifiedRequest], requests: ClientRequests) -> AskingClient:
    """Return the client of a request over HTTP."""
    request_info = response.request_info
    session = request_info.session
    if request_info.stateless or session is None or not response.accepts_sse:
        return AskingClient(request_info.version, request_info.client_capabilities)

    async def elicit(params: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return await requests.send(session, response.send, ELICIT, params)
        except MCPError:
            # The client cannot ask after all, or its person has not decided in time.
            return {"action": "cancel"}

    return AskingClient(request_info.version, session.capabilities, elicit)


def asking_client_of(context: ServerRequestContext[None]) -> AskingClient:
    """Return the client at the other end of standard input and output."""
    session = context.session
    capabilities = session.client_capabilities
    declared = {} if capabilities is None else capabilities.model_dump(by_alias=True, exclude_none=True)

    async def elicit(params: Mapping[str, Any]) -> Mapping[str, Any]:
        request = types.ElicitRequest.model_validate({"method": ELICIT, "params": params}, by_name=False)
        try:
            result = await session.send_request(request, types.ElicitResult)
        except MCPError:
            return {"action": "cancel"}
        return result.model_dump(by_alias=True, exclude_none=True)

    return AskingClient(context.protocol_version, declared, elicit if session.can_send_request else None)
