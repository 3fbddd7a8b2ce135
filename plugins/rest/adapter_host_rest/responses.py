"""Converts results and errors to HTTP responses."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Set
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from aiohttp import web
from multidict import CIMultiDict

from adapter_host import (
    OperationError,
    Result,
    UnavailableError,
    UnsupportedCodingError,
    UpstreamStatusError,
    close_stream,
    current_call,
    error_problem,
    problem_response,
)

from .caching import UNRESTRICTED, Caching

_LOG: Final = logging.getLogger("adapter_host.rest")

_JSON: Final = "application/json"
_HEADERS: Final = {"Server": "adapter-host", "X-Content-Type-Options": "nosniff"}
_BASE_HEADERS: Final = CIMultiDict(_HEADERS)
_JSON_HEADERS: Final = CIMultiDict({**_HEADERS, "Content-Type": _JSON})
_PASSED_HEADERS: Final = frozenset(
    {
        "age",
        "cache-control",
        "cache-status",
        "cdn-cache-control",
        "content-disposition",
        "content-language",
        "deprecation",
        "etag",
        "expires",
        "last-modified",
        "link",
        "location",
        "retry-after",
        "sunset",
        "vary",
        "x-total-count",
    }
)
_PASSED_PREFIXES: Final = ("ratelimit", "x-ratelimit", "x-rate-limit")
_BODILESS_STATUSES: Final = frozenset({204, 205, 304})


class MethodNotAllowedError(OperationError):
    """The path does not support the method; `allow` is the value of the `Allow` header."""

    status = 405
    title = "Method not allowed"

    def __init__(self, method: str, allow: str) -> None:
        self.allow = allow
        super().__init__(f"method {method} is not allowed; use one of {allow}")


def allow_header(methods: Set[str]) -> str:
    """Return the value of the `Allow` header."""
    implied = {"OPTIONS", "HEAD"} if "GET" in methods else {"OPTIONS"}
    return ", ".join(sorted(methods | implied))


def options_response(allow: str) -> web.Response:
    """Return the response to OPTIONS."""
    return web.Response(status=204, headers={**_HEADERS, "Allow": allow})


async def respond(
    request: web.Request, result: Result, media_type: str, name: str, caching: Caching = UNRESTRICTED
) -> web.StreamResponse:
    """Send the result of the operation `name`; a stream is sent completely, or closed."""
    headers = _JSON_HEADERS.copy() if media_type == _JSON else _headers_with_type(media_type)
    _pass_on(result.headers, headers)
    if caching is not UNRESTRICTED:
        caching.apply(headers)
    if result.stream is not None:
        response = web.StreamResponse(status=result.status, headers=headers)
        response.content_length = _content_length(result.headers)
        return await _relay(request, response, result.stream, name)
    if result.status in _BODILESS_STATUSES:
        return _bodiless_response(result.status, headers)
    return web.Response(status=result.status, body=result.body, headers=headers)


async def respond_forwarded(
    request: web.Request, result: Result, name: str, caching: Caching = UNRESTRICTED
) -> web.StreamResponse:
    """Send the response to a forwarded request, unchanged; a stream is sent completely, or closed."""
    headers = CIMultiDict((name, _sendable(value)) for name, value in result.headers.items())
    length = headers.popall("Content-Length", [""])[0]
    headers["Server"] = _HEADERS["Server"]
    headers.setdefault("X-Content-Type-Options", _HEADERS["X-Content-Type-Options"])
    caching.apply(headers)
    stream: AsyncIterator[bytes] | None = result.stream
    if stream is None:
        stream = _single_chunk(result.body)
        length = length if request.method == "HEAD" else str(len(result.body))
    response = web.StreamResponse(status=result.status, headers=headers)
    response.content_length = int(length) if length.isascii() and length.isdigit() else None
    return await _relay(request, response, stream, name)


async def _single_chunk(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _sendable(value: str) -> str:
    # Bytes that are not UTF-8 are surrogates here, which cannot be sent.
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def error_response(error: OperationError, name: str, caching: Caching = UNRESTRICTED) -> web.Response:
    """Return the response for an error of the operation `name`; log server errors."""
    request_id = current_call().request_id
    if isinstance(error, UpstreamStatusError):
        return _upstream_error_response(error, name, request_id, caching)
    if error.status >= 500:
        _LOG.warning("request %s: %s: %s", request_id, name, error.message)
    headers = {**_HEADERS, **_failed_step(error)}
    if isinstance(error, MethodNotAllowedError):
        headers["Allow"] = error.allow
    if isinstance(error, UnsupportedCodingError):
        headers["Accept-Encoding"] = error.accepted
    response = error_problem(error, headers)
    if isinstance(error, UnavailableError) and error.retry_after is None:
        response.force_close()
    return response


def unexpected_error_response(name: str) -> web.Response:
    """Return the response for the current, unexpected exception; its details are only logged."""
    request_id = current_call().request_id
    _LOG.exception("request %s: %s: unexpected error", request_id, name)
    headers = {**_HEADERS, "X-Request-Id": request_id}
    return problem_response(500, "unexpected error", request_id=request_id, headers=headers)


def _upstream_error_response(error: UpstreamStatusError, name: str, request_id: str, caching: Caching) -> web.Response:
    if error.upstream_status >= 500:
        _LOG.warning("request %s: %s: %s", request_id, name, error.message)
    headers = _headers_with_type(error.media_type)
    headers["X-Request-Id"] = request_id
    headers.update(_failed_step(error))
    _pass_on(error.headers, headers)
    if error.step is not None:
        # The responses to earlier steps have determined it too, and may not be stored.
        headers.popall("CDN-Cache-Control", None)
        headers["Cache-Control"] = "no-store"
    caching.apply(headers)
    if error.upstream_status in _BODILESS_STATUSES:
        return _bodiless_response(error.upstream_status, headers)
    return web.Response(status=error.upstream_status, body=error.body, headers=headers)


def _failed_step(error: OperationError) -> dict[str, str]:
    # The body of an upstream's error response is unchanged, so only a header can name the step.
    return {} if error.step is None else {"X-Failed-Step": quote(error.step)}


def _headers_with_type(media_type: str) -> CIMultiDict[str]:
    headers = _BASE_HEADERS.copy()
    if media_type:
        headers["Content-Type"] = media_type
    return headers


def _bodiless_response(status: int, headers: CIMultiDict[str]) -> web.Response:
    headers.pop("Content-Type", None)
    return web.Response(status=status, headers=headers)


def _pass_on(upstream: Mapping[str, str], headers: CIMultiDict[str]) -> None:
    for name, value in upstream.items():
        if _is_passed(name):
            headers.add(name, _sendable(value))


@lru_cache(maxsize=1024)
def _is_passed(name: str) -> bool:
    lower = name.lower()
    return lower in _PASSED_HEADERS or lower.startswith(_PASSED_PREFIXES)


def _content_length(upstream: Mapping[str, str]) -> int | None:
    """Return the Content-Length of the stream, if it applies to the decoded bytes."""
    length = upstream.get("Content-Length", "")
    if "Content-Encoding" in upstream or not (length.isascii() and length.isdigit()):
        return None
    return int(length)


async def _relay(
    request: web.Request, response: web.StreamResponse, stream: AsyncIterator[bytes], name: str
) -> web.StreamResponse:
    try:
        await response.prepare(request)
        if request.method != "HEAD" and response.status not in _BODILESS_STATUSES:
            await _copy(stream, response)
        await response.write_eof()
    except ConnectionError:
        _abort(request)
    except Exception as error:  # the status has been sent: only an abort can still report the failure
        _LOG.warning("request %s: %s: response aborted: %s", current_call().request_id, name, _reason(error))
        _abort(request)
    finally:
        await close_stream(stream)
    return response


async def _copy(stream: AsyncIterator[bytes], response: web.StreamResponse) -> None:
    sent = 0
    async for chunk in stream:
        sent += len(chunk)
        await response.write(chunk)
    if response.content_length not in (None, sent):
        raise OperationError(f"received {sent} bytes instead of {response.content_length}")


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, OperationError) else type(error).__name__


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
