"""From bytes to answers, by RFC 9112: httptools splits them up, and what it takes too easily is refused."""

from __future__ import annotations

from typing import Final

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpResponseParser

from adapter_host_http.transport.base import MalformedResponseError

from .headers import Pair
from .response import NativeResponse

OVERHEAD_LIMIT: Final = 64 * 1024
"""So many bytes may come that are not of the body, and 16 more for each one that is."""

MAX_HEADERS: Final = 512

_FRAMING_HEADERS: Final = frozenset(
    {b"connection", b"content-encoding", b"content-length", b"content-type", b"transfer-encoding"}
)
_BODILESS: Final = frozenset({204, 304})
_VERSIONS: Final = ("1.1", "1.0")


class ResponseParser:
    """Parses the responses of a connection, one after the other.

    `received_nothing` is true until the first byte of a response, `complete` after its last. With `until_close` the
    body ends with the connection; with `keep_alive` the connection can be reused.
    """

    __slots__ = (
        "_body_size",
        "_exhausted",
        "_interim",
        "_is_head",
        "_overhead",
        "_pairs",
        "_parser",
        "_response",
        "complete",
        "keep_alive",
        "received_nothing",
        "until_close",
    )

    def __init__(self) -> None:
        self._exhausted = True

    def start(self, response: NativeResponse, *, is_head: bool) -> None:
        """Read the answer to a request next; with `head` it has no body, whatever it says of one."""
        self._response = response
        self._is_head = is_head
        self._pairs: list[Pair] = []
        self._interim = False
        self._overhead = self._body_size = 0
        self.complete = self.until_close = self.keep_alive = False
        self.received_nothing = True
        if self._exhausted:
            self._parser = HttpResponseParser(self)
            # RFC 9112 lets a recipient take a bare LF (2.2); some servers pad the sizes of chunks.
            self._parser.set_dangerous_leniencies(
                lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
            )
            self._exhausted = False

    def feed(self, data: bytes) -> None:
        """Read on; raises `MalformedResponseError`, also when what is wrong comes behind a complete answer."""
        self.received_nothing = False
        self._overhead += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserCallbackError as error:
            if isinstance(error.__context__, MalformedResponseError):
                raise error.__context__ from None
            raise
        except (HttpParserError, HttpParserUpgrade) as error:
            raise MalformedResponseError(f"no answer in HTTP/1.1 ({error})") from None
        if self._overhead > OVERHEAD_LIMIT + 16 * self._body_size:
            self.complete = False
            raise MalformedResponseError("an answer with too much besides its body")

    def release(self) -> None:
        """Let go of an answer that is complete: a connection that is kept would keep its body too."""
        del self._response

    # What follows is called by the parser.

    def on_message_begin(self) -> None:
        """Another answer begins."""
        if self.complete:
            raise MalformedResponseError("more than one answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header, or reject an unexpected trailer."""
        if self.complete:
            raise MalformedResponseError("a trailer where there is none")
        if self._response.status:
            # A trailer may be read by those who know what it means; here nobody does.
            self._exhausted = True
        else:
            self._pairs.append((name, value))

    def on_headers_complete(self) -> None:
        """Check the complete head and pass it to the response."""
        status = self._parser.get_status_code()
        if not 100 <= status <= 599 or status == 101 or self._parser.get_http_version() not in _VERSIONS:
            raise MalformedResponseError("an answer of another protocol")
        if len(self._pairs) > MAX_HEADERS:
            raise MalformedResponseError("an answer with too many header fields")
        if status < 200:
            self._interim = True
            self._pairs = []
        else:
            self._start_response(status)

    def on_body(self, data: bytes) -> None:
        """Pass a piece of the body to the response."""
        if self.complete:
            raise MalformedResponseError("a body where there is none")
        self._overhead -= len(data)
        self._body_size += len(data)
        self._response.add_chunk(data)

    def on_message_complete(self) -> None:
        """Note that the response is complete."""
        if self._interim:
            self._interim = False
        elif not self.complete:
            self.complete = True
            self.keep_alive = self._parser.should_keep_alive()

    def _start_response(self, status: int) -> None:
        framing: dict[bytes, bytes] = {}
        for name, value in self._pairs:
            lower = name.lower()
            if lower in _FRAMING_HEADERS:
                framing[lower] = framing[lower] + b"," + value if lower in framing else value
        length, transfer_encoding = framing.get(b"content-length"), framing.get(b"transfer-encoding")
        if transfer_encoding is not None and transfer_encoding.strip().lower() != b"chunked":
            raise MalformedResponseError("an answer in a transfer coding that was not asked for")
        response = self._response
        response.set_head(status, self._pairs, framing.get(b"content-type", b""))
        if self._is_head:
            self._finish_head_response(framing.get(b"connection", b""))
        elif status not in _BODILESS:
            self.until_close = length is None and transfer_encoding is None
            coding = framing.get(b"content-encoding", b"").strip().lower()
            response.expect_body(None if length is None else int(length), coding)

    def _finish_head_response(self, connection: bytes) -> None:
        # The parser takes the length for that of a body to come, so it is of no use any more.
        self._exhausted = self.complete = True
        self.keep_alive = self._parser.get_http_version() == "1.1" and b"close" not in connection.lower()
