"""Request bodies: read and decode them within a limit, once the caller is known."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web
from aiohttp.streams import StreamReader

from adapter_host.content_decoder import ContentDecoder
from adapter_host.errors import ArgumentError

from .problem_json import problem_response

ACCEPTED_CODINGS: Final = "gzip, deflate"
"""The content codings of request bodies that `read_body` decodes."""


class UnreadableBodyError(ArgumentError):
    """The request body is incomplete, or is not in its content coding."""

    def __init__(self) -> None:
        super().__init__("body", "the body is incomplete, or does not match its Content-Encoding")


class BodyTooLargeError(ArgumentError):
    """The request body, as sent or decoded, has more than `limit` bytes."""

    status = 413
    title = "Body too large"

    def __init__(self, limit: int) -> None:
        super().__init__("body", f"the body must be at most {limit} bytes")


class UnsupportedCodingError(ArgumentError):
    """The content coding of the request body is not supported; `accepted` is the value of `Accept-Encoding`."""

    status = 415
    title = "Unsupported content coding"

    def __init__(self, accepted: str) -> None:
        self.accepted = accepted
        super().__init__("body", f"the Content-Encoding of the body is not supported; use one of: {accepted}")


async def read_body(request: web.Request, limit: int) -> bytes:
    """Return the body of a request, decoded (RFC 9110, section 8.4.1).

    Raise `BodyTooLargeError` for more than `limit` bytes, sent or decoded, `UnsupportedCodingError`, and
    `UnreadableBodyError` for a body that is incomplete or is not in its content coding.
    """
    if (request.content_length or 0) > limit:
        raise BodyTooLargeError(limit)
    coding = _coding(request) if hdrs.CONTENT_ENCODING in request.headers else ""
    body = await _receive(request, limit)
    return await _decode(body, coding, limit) if coding and body else body


def has_coded_body(request: web.Request) -> bool:
    """Return whether a request with `Content-Encoding` has a body that is still encoded."""
    return bool(_codings(request)) and request.body_exists and not is_decoded_by_server(request)


def is_decoded_by_server(request: web.Request) -> bool:
    """Return whether aiohttp decodes the body of a request while it receives it.

    It never does on the sockets of the host; in an outer application it does unless `auto_decompress` is off.
    """
    return request.body_exists and request.content.total_compressed_bytes is not None


def reject_coded_body() -> web.Response:
    """Return the response to an encoded body for an exposer that does not decode any."""
    detail = "the body must not have a Content-Encoding"
    headers = {"Accept-Encoding": "identity"}
    return problem_response(415, detail, title=UnsupportedCodingError.title, headers=headers)


def stop_decoding(request: web.Request) -> None:
    """Make aiohttp close the connection instead of decoding the rest of a body that nobody reads.

    aiohttp otherwise reads such a body for up to ten seconds to discard it, without yielding to the event loop.
    """
    if is_decoded_by_server(request) and not request.content.is_eof():
        # aiohttp handles this like the end of these ten seconds.
        request.content.set_exception(TimeoutError("the rest of the body is not read"))


def _coding(request: web.Request) -> str:
    """Return the content coding to decode, or an empty string; raise `UnsupportedCodingError`."""
    codings = _codings(request)
    if not codings or is_decoded_by_server(request):
        return ""
    if codings[1:] or codings[0] not in ContentDecoder.CODINGS:
        raise UnsupportedCodingError(ACCEPTED_CODINGS)
    return codings[0]


def _codings(request: web.Request) -> list[str]:
    names = ",".join(request.headers.getall(hdrs.CONTENT_ENCODING)).lower().split(",")
    return [coding for name in names if (coding := name.strip()) not in ("", "identity")]


async def _receive(request: web.Request, limit: int) -> bytes:
    content = request.content
    if type(content) is StreamReader and content.is_eof() and request._read_bytes is None:
        return _received(request, content, limit)
    # A request of an outer application has the limit of that application.
    if request.client_max_size != limit and not request.content.at_eof():
        request = request.clone(client_max_size=limit)
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise BodyTooLargeError(limit) from None
    except (web.RequestPayloadError, ConnectionError):
        raise UnreadableBodyError from None
    if len(body) > limit:
        raise BodyTooLargeError(limit)
    return body


def _received(request: web.Request, content: StreamReader, limit: int) -> bytes:
    """Return a body that was received completely, without the steps of `web.Request.read` for each piece."""
    try:
        body = request._read_bytes = content.read_nowait()
    except (web.RequestPayloadError, ConnectionError):
        raise UnreadableBodyError from None
    if len(body) > limit:
        raise BodyTooLargeError(limit)
    return body


async def _decode(body: bytes, coding: str, limit: int) -> bytes:
    decoded = await ContentDecoder(coding, lambda _: UnreadableBodyError()).decode_whole(body, limit)
    if decoded is None:
        raise BodyTooLargeError(limit)
    return decoded
