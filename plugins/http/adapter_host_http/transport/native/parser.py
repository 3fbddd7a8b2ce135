"""Parse responses (RFC 9112) with httptools, and reject what it accepts too leniently."""

from __future__ import annotations

from typing import Final

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpResponseParser

from adapter_host_http.transport.base import MalformedResponseError

from .headers import Pair
from .response import NativeResponse

OVERHEAD_LIMIT: Final = 64 * 1024
"""Bytes that may arrive outside of the body, plus 16 for each byte of the body."""

MAX_HEADERS: Final = 512

_FRAMING_HEADERS: Final = frozenset({b"content-encoding", b"content-length", b"content-type", b"transfer-encoding"})
_BODILESS: Final = frozenset({204, 304})
_STATUS_LINE: Final = b"HTTP/"
_VERSIONS: Final = ("1.1", "1.0")


class LeftoverDataError(MalformedResponseError):
    """Data of the response before, or of no response at all, arrived on a reused connection."""


class ResponseParser:
    """Parses the responses of a connection, one after the other.

    `received_nothing` is true until the first byte of a response, `complete` after its last. With `until_close` the
    body ends with the connection; with `keep_alive` the connection can be reused: nothing can follow the response.
    """

    __slots__ = (
        "_body_size",
        "_exhausted",
        "_in_step",
        "_interim",
        "_is_head",
        "_overhead",
        "_pairs",
        "_parser",
        "_response",
        "_reused",
        "complete",
        "keep_alive",
        "received_nothing",
        "until_close",
    )

    def __init__(self) -> None:
        self._exhausted = True
        self._reused = False
        self._in_step = True

    def start(self, response: NativeResponse, *, is_head: bool) -> None:
        """Expect a response; the response to HEAD (`is_head`) has no body, whatever its headers say."""
        self._response = response
        self._is_head = is_head
        self._pairs: list[Pair] = []
        self._interim = False
        self._overhead = self._body_size = 0
        self.complete = self.until_close = self.keep_alive = False
        self.received_nothing = True
        if self._exhausted:
            self._parser = HttpResponseParser(self)
            # RFC 9112, 2.2 allows a recipient to accept a bare LF; some servers pad chunk sizes with spaces.
            self._parser.set_dangerous_leniencies(
                lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
            )
            self._exhausted = False

    def feed(self, data: bytes) -> None:
        """Parse data; raise `MalformedResponseError`, also for data after a complete response.

        Raise `LeftoverDataError` if the first data on a reused connection is not a response.
        """
        if self._reused and self.received_nothing and not data.startswith(_STATUS_LINE):
            self._check_first_data(data)
        self._overhead += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserCallbackError as error:
            if isinstance(error.__context__, MalformedResponseError):
                raise error.__context__ from None
            raise
        except (HttpParserError, HttpParserUpgrade) as error:
            raise MalformedResponseError(f"not an HTTP/1.1 response ({error})") from None
        if self._overhead > OVERHEAD_LIMIT + 16 * self._body_size:
            self.complete = False
            raise MalformedResponseError("a response with too much data outside of its body")

    def release(self) -> None:
        """Drop a complete response, which an idle connection would keep in memory."""
        del self._response
        self._reused = True

    # Called by httptools.

    def on_message_begin(self) -> None:
        """Reject a second response."""
        if self.complete:
            raise MalformedResponseError("more than one response")
        # Not before: an empty line may be the end of the response before.
        self.received_nothing = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header field; ignore a trailer field."""
        if self.complete:
            raise MalformedResponseError("an unexpected trailer")
        if self._response.status:
            # Trailer fields are ignored; the next response gets a new parser.
            self._exhausted = True
        else:
            self._pairs.append((name, value))

    def on_headers_complete(self) -> None:
        """Skip an interim response, or start the response."""
        status = self._parser.get_status_code()
        if not 100 <= status <= 599 or status == 101 or self._parser.get_http_version() not in _VERSIONS:
            raise MalformedResponseError("a response of another protocol")
        if len(self._pairs) > MAX_HEADERS:
            raise MalformedResponseError("a response with too many header fields")
        if status < 200:
            self._interim = True
            self._trust(_framing(self._pairs))
            self._pairs = []
        else:
            self._start_response(status)

    def on_body(self, data: bytes) -> None:
        """Pass a piece of the body to the response."""
        if self.complete:
            raise MalformedResponseError("an unexpected body")
        self._overhead -= len(data)
        self._body_size += len(data)
        self._response.add_chunk(data)

    def on_message_complete(self) -> None:
        """Mark the response as complete."""
        if self._interim:
            self._interim = False
        elif not self.complete:
            self.complete = True
            self.keep_alive = self._in_step and self._parser.should_keep_alive()

    def _check_first_data(self, data: bytes) -> None:
        # Some servers end a response with an empty line too many, which harms nobody.
        text = data.lstrip(b"\r\n")
        if len(text) < len(data):
            self._in_step = False
        if not text.startswith(_STATUS_LINE) and not _STATUS_LINE.startswith(text):
            raise LeftoverDataError("data before the response")

    def _start_response(self, status: int) -> None:
        framing = _framing(self._pairs)
        length, transfer_encoding = framing.get(b"content-length"), framing.get(b"transfer-encoding")
        if transfer_encoding is not None and transfer_encoding.strip().lower() != b"chunked":
            raise MalformedResponseError("a response in a transfer coding that was not requested")
        response = self._response
        response.set_head(status, self._pairs, framing.get(b"content-type", b""))
        if self._is_head:
            # Some servers send the body nevertheless, so the connection is not kept; httptools expects it, too.
            self._exhausted = self.complete = True
        elif status in _BODILESS:
            self._trust(framing)
        else:
            if transfer_encoding is not None and self._parser.get_http_version() == "1.0":
                # RFC 9112, 6.1: its framing is faulty.
                self._in_step = False
            self.until_close = length is None and transfer_encoding is None
            coding = framing.get(b"content-encoding", b"").strip().lower()
            response.expect_body(None if length is None else int(length), coding)

    def _trust(self, framing: dict[bytes, bytes]) -> None:
        """Do not keep the connection if the head announces a body that its status forbids: it may follow."""
        if framing.get(b"content-length", b"0").strip(b" \t0") or b"transfer-encoding" in framing:
            self._in_step = False


def _framing(pairs: list[Pair]) -> dict[bytes, bytes]:
    """Return the header fields that a parser needs, by lower-case name; join repeated ones."""
    framing: dict[bytes, bytes] = {}
    for name, value in pairs:
        lower = name.lower()
        if lower in _FRAMING_HEADERS:
            framing[lower] = framing[lower] + b"," + value if lower in framing else value
    return framing
