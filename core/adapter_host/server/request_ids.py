"""The request id of an HTTP request: that of its `X-Request-Id`, or a new one."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from adapter_host.operation.request_id import is_request_id, new_request_id

HEADER: Final = "X-Request-Id"

_ID: Final = web.RequestKey("adapter_host_request_id", str)


def request_id_of(request: web.BaseRequest) -> str:
    """Return the id of a request, which its response, the log and its calls share."""
    found: str | None = request.get(_ID)
    if found is None:
        sent = request.headers.get(HEADER)
        found = sent if sent is not None and is_request_id(sent) else new_request_id()
        request[_ID] = found
    return found
