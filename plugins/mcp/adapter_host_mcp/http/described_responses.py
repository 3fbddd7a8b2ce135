"""Responses in progress whose requests are described for telemetry."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from adapter_host import REQUEST_DESCRIPTION, RequestDescription
from adapter_host_mcp.features.descriptions import HTTP, RequestDescriber
from adapter_host_mcp.protocol import VERSION_HEADER

from .messages import method_name
from .response import RequestInfo, ResponseStream
from .responses import ActiveResponses

if TYPE_CHECKING:
    from adapter_host_mcp.replicas.link import ReplicaLink


class DescribedResponses(ActiveResponses):
    """Sets `REQUEST_DESCRIPTION` while a response is in progress."""

    def __init__(self, replicas: ReplicaLink | None, describer: RequestDescriber) -> None:
        super().__init__(replicas)
        self._describer = describer

    async def run(
        self, response: ResponseStream[RequestInfo], handler: Awaitable[web.StreamResponse]
    ) -> web.StreamResponse:
        """Await the handler of a response, with the description of its request."""
        token = REQUEST_DESCRIPTION.set(partial(self._describe, response))
        try:
            return await super().run(response, handler)
        finally:
            REQUEST_DESCRIPTION.reset(token)

    def _describe(self, response: ResponseStream[RequestInfo]) -> RequestDescription:
        request, session = response.request_info.request, response.request_info.session
        version = response.headers.get(VERSION_HEADER)
        return self._describer.describe(
            method_name(request.method),
            request.params,
            request.id,
            version=session.version if version is None and session is not None else version,
            session_id=None if session is None else session.id,
            network=HTTP,
        )
