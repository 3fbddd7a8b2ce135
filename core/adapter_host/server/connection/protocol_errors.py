"""Errors below routing: requests that are not HTTP, and failures that no exposer has handled.

aiohttp logs and returns the bytes that its parser rejects, which may contain credentials. Here neither the log nor the
response contains any part of such a request.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any, Final, Protocol

from aiohttp import http_exceptions, web

from adapter_host.server.problem_json import problem_response
from adapter_host.server.request_ids import request_id_of

from .rate_limited_log import RateLimitedLog
from .requests import RequestFactory

_log = logging.getLogger("adapter_host")

MALFORMED: Final = (http_exceptions.HttpProcessingError, web.RequestPayloadError)
"""Errors of aiohttp's parser; their texts contain parts of the request."""

_REASONS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (http_exceptions.LineTooLong, "line too long"),
    (http_exceptions.InvalidHeader, "invalid header"),
    (http_exceptions.TransferEncodingError, "invalid chunk"),
    (http_exceptions.ContentLengthError, "body shorter than its Content-Length"),
    (http_exceptions.PayloadEncodingError, "invalid body"),
    (web.RequestPayloadError, "invalid body"),
    (http_exceptions.InvalidURLError, "invalid request target"),
    (http_exceptions.BadHttpMethod, "invalid method"),
    (http_exceptions.BadStatusLine, "invalid request line"),
)

_CONSTANT: Final = re.compile(
    r"(?:Duplicate|Missing) '[A-Za-z-]+' header|Too many headers|Received HTTPS traffic on an HTTP port"
)
"""Texts of the parser without parts of the request."""

_PARSER_REASON: Final = re.compile(r"(?:Bad status line:\n +)?([A-Z][^\n]{0,80}):\n\n")
"""The constant reason of the parser, before the rejected bytes."""


def malformation(error: BaseException) -> str:
    """Return what is wrong with a malformed request, without any part of it."""
    message = getattr(error, "message", "")
    if found := _CONSTANT.match(message):
        return found[0]
    if found := _PARSER_REASON.match(message):
        return found[1]
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "malformed message")


class RequestEnd(Protocol):
    """Writes the access log; what a connection needs of it."""

    def end(self, request: web.BaseRequest, status: int | str, error: str | None = None) -> None:
        """Write the line of a request whose response has been sent."""

    def end_without_request(
        self, status: int, error: str | None, request_id: str, size: int, duration: float, address: str
    ) -> None:
        """Write the line of a response to something that is no complete request."""


class HostProtocol(web.RequestHandler):
    """One connection of a listener."""

    __slots__ = ("_rejections",)

    def __init__(self, manager: HostServer, **arguments: Any) -> None:
        super().__init__(manager, **arguments)
        self._rejections = manager.rejections

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the response to a malformed request or after an unexpected error; close the connection."""
        if isinstance(exc, MALFORMED):
            status, detail = 400, f"the request is not valid HTTP: {malformation(exc)}"
            self._log_malformed(request.remote, exc)
            request_id = request_id_of(request)
        else:
            detail = "unexpected error" if status == 500 else "the request timed out"
            request_id = request_id_of(request)
            _log.error("request %s: unexpected error", request_id, exc_info=exc)
        if request.writer.output_size > 0:
            # The status has been sent already; only a broken connection still reports the error.
            raise ConnectionResetError("the response has been sent in part")
        response = problem_response(status, detail, request_id=request_id)
        response.force_close()
        return response

    def log_exception(self, *arguments: Any, **options: Any) -> None:
        """Log an error of the connection; nothing of a malformed request."""
        error = options.get("exc_info")
        if isinstance(error, MALFORMED):
            peer = self.peername
            self._log_malformed(peer[0] if isinstance(peer, tuple) else None, error)
        else:
            super().log_exception(*arguments, **options)

    def _log_malformed(self, client: str | None, error: BaseException) -> None:
        self._rejections.warning("rejected a malformed request from %s: %s", client or "-", malformation(error))


class HostServer(web.Server):
    """The server of a listener; all its connections share the limit of their warnings."""

    def __init__(self, handler: Callable[..., Any], **arguments: Any) -> None:
        super().__init__(handler, **arguments)
        self.rejections = RateLimitedLog(_log)
        self.request_log: RequestEnd | None = None


class HostRunner(web.AppRunner):
    """Runs an application by a `HostServer`."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return HostServer(
            server.request_handler,
            request_factory=RequestFactory(self.app._client_max_size),
            handler_cancellation=server.handler_cancellation,
            loop=server._loop,
            **server._kwargs,
        )
