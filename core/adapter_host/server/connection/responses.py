"""Complete responses of direct handlers, sent without aiohttp's steps for streams, cookies, signals and codings."""

from __future__ import annotations

from typing import cast

from aiohttp import hdrs, web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import HttpVersion11

from adapter_host.server.problem_json import SERVER
from adapter_host.server.request_ids import HEADER, request_id_of

from .requests import HostRequest

_LOWEST_STATUS = 200
_BODILESS_STATUSES = frozenset({204, 205, 304})


def is_plain(request: web.BaseRequest, response: web.StreamResponse) -> bool:
    """Return whether `send_plain` sends this response as aiohttp would.

    The request has not passed through an application, whose signals may change the response. The attributes without
    public names are those that `web.StreamResponse.prepare` reads.
    """
    return (
        # Not `isinstance`, which is slow for abstract classes such as requests and responses.
        type(request) is HostRequest
        and type(response) is web.Response
        and isinstance(response._body, bytes)
        and not response._eof_sent
        and response._keep_alive is None
        and response._payload_writer is None
        and response._cookies is None
        and not response._compression
        and not response._chunked
        and response._status >= _LOWEST_STATUS
        and response._status not in _BODILESS_STATUSES
        and request._match_info is None
        and request._method != hdrs.METH_HEAD
        and request._version == HttpVersion11
        and request.keep_alive
    )


async def send_plain(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Send a response for which `is_plain` is true; raise `ConnectionError` if the client has gone."""
    body = cast(bytes, cast(web.Response, response)._body)
    headers = response.headers
    headers[hdrs.CONTENT_LENGTH] = str(len(body))
    if body:
        headers.setdefault(hdrs.CONTENT_TYPE, "application/octet-stream")
    headers.setdefault(hdrs.DATE, rfc822_formatted_time())
    headers.setdefault(hdrs.SERVER, SERVER)
    headers[HEADER] = request_id_of(request)
    writer = request.writer
    await writer.write_headers(f"HTTP/1.1 {response.status} {response.reason}", headers)
    await writer.write_eof(body)
    response._keep_alive = response._eof_sent = True
