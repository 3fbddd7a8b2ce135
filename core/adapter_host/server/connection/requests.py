"""Requests of listeners: rules of HTTP/1.1 that aiohttp's parser does not enforce."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import SERVER_SOFTWARE, HttpVersion10, HttpVersion11, RawRequestMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from adapter_host.operation.call_record import CallRecord
from adapter_host.server.problem_json import SERVER, problem_response
from adapter_host.server.request_ids import HEADER, request_id_of

_SCHEMES: Final = ("http", "https")


@dataclass(frozen=True, slots=True)
class ProtocolFault:
    """Why a request is rejected before routing; its connection is closed."""

    status: int
    detail: str

    def response(self, request: web.BaseRequest) -> web.Response:
        """Return the response to a request."""
        response = problem_response(self.status, self.detail, request_id=request_id_of(request))
        response.force_close()
        return response


class HostRequest(web.Request):
    """A request of a listener, or of an ASGI server; its response does not contain the server's version."""

    fault: ProtocolFault | None = None
    root_path: str = ""
    """The percent-decoded path before its own, where the application of an ASGI server is mounted."""
    record: CallRecord | None = None
    """The record for the access log; None without it."""

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        hide_version(response)
        response.headers[HEADER] = request_id_of(self)
        await super()._prepare_hook(response)


def root_path(request: web.Request) -> str:
    """Return the percent-encoded path of the application of `Host.asgi` that a request came through, else nothing.

    The paths of requests do not have it, but those of links must.
    """
    return quote(request.root_path) if isinstance(request, HostRequest) else ""


def hide_version(response: web.StreamResponse) -> None:
    """Replace aiohttp's `Server` header, which helps only attackers; one that a handler has set stays."""
    if response.headers.get(hdrs.SERVER) == SERVER_SOFTWARE:
        response.headers[hdrs.SERVER] = SERVER


async def complete_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Hide the version of the server and add the request id; a handler for `on_response_prepare` of applications."""
    hide_version(response)
    response.headers[HEADER] = request_id_of(request)


class RequestFactory:
    """Creates the requests of a listener from parsed messages."""

    def __init__(self, body_limit: int) -> None:
        self._body_limit = body_limit
        self._loop = asyncio.get_running_loop()

    def __call__(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: Any,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> HostRequest:
        """Return the request, with a fault if it must be rejected."""
        fault = None
        if message.version != HttpVersion11:
            message, fault = _check_version(message)
        if fault is None and message.chunked:
            message, fault = _check_transfer_coding(message)
        if fault is None and message.path[:1] != "/":
            message, fault = _check_target(message)
        request = HostRequest(
            message, payload, protocol, writer, task, self._loop, client_max_size=self._body_limit
        )  # fmt: skip
        if fault is not None:
            request.fault = fault
        return request


def _check_version(message: RawRequestMessage) -> tuple[RawRequestMessage, ProtocolFault | None]:
    """Return the message, with a version that a response may have (RFC 9110, section 15.6.6)."""
    if message.version == HttpVersion10:
        return message, None
    fault = ProtocolFault(505, "the HTTP version is not supported; use HTTP/1.1")
    return message._replace(version=HttpVersion11, should_close=True), fault


def _check_transfer_coding(message: RawRequestMessage) -> tuple[RawRequestMessage, ProtocolFault | None]:
    """Close the connection after HTTP/1.0, where the framing may be faulty (RFC 9112, section 6.1)."""
    coding = message.headers.get(hdrs.TRANSFER_ENCODING, "")
    if coding.strip().lower() != "chunked":
        return message, ProtocolFault(501, "the transfer coding is not supported; use chunked without others")
    if message.version < HttpVersion11:
        message = message._replace(should_close=True)
    return message, None


def _check_target(message: RawRequestMessage) -> tuple[RawRequestMessage, ProtocolFault | None]:
    """Return the message with the target's host as its `Host`, which it replaces (RFC 9112, section 3.2.2)."""
    if message.method == hdrs.METH_CONNECT:
        return message, ProtocolFault(501, "CONNECT is not supported")
    url = message.url
    if not url.absolute:
        return message, None
    if url.scheme not in _SCHEMES:
        return message, ProtocolFault(400, "the scheme of the request target is not http or https")
    if url.raw_user is not None or url.raw_password is not None:
        return message, ProtocolFault(400, "the request target contains user information")
    headers = CIMultiDict(message.headers)
    headers[hdrs.HOST] = url.raw_authority
    target = URL.build(path=url.raw_path or "/", query_string=url.raw_query_string, encoded=True)
    return message._replace(path=target.raw_path_qs, url=target, headers=CIMultiDictProxy(headers)), None
