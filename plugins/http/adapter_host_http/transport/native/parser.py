"""From bytes to answers, by RFC 9112: httptools splits them up, and what it takes too easily is refused."""

from __future__ import annotations

from typing import Final

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpResponseParser

from adapter_host_http.transport.base import MalformedResponseError

from .headers import Pair
from .response import NativeResponse

EXTRA_LIMIT: Final = 64 * 1024
"""So many bytes may come that are not of the body, and 16 more for each one that is."""

FIELDS_LIMIT: Final = 512

_READ: Final = frozenset({b"connection", b"content-encoding", b"content-length", b"content-type", b"transfer-encoding"})
_BODILESS: Final = frozenset({204, 304})
_VERSIONS: Final = ("1.1", "1.0")


class Reader:
    """Reads one answer after the other.

    `silent` is that nothing of the answer has come yet, `complete` that all of it has, `endless` that its body ends
    with the connection, `keeps` that the connection may be used again.
    """

    __slots__ = (
        "_answer",
        "_extra",
        "_head",
        "_interim",
        "_pairs",
        "_parser",
        "_received",
        "_spent",
        "complete",
        "endless",
        "keeps",
        "silent",
    )

    def __init__(self) -> None:
        self._spent = True

    def expect(self, answer: NativeResponse, *, head: bool) -> None:
        """Read the answer to a request next; with `head` it has no body, whatever it says of one."""
        self._answer = answer
        self._head = head
        self._pairs: list[Pair] = []
        self._interim = False
        self._extra = self._received = 0
        self.complete = self.endless = self.keeps = False
        self.silent = True
        if self._spent:
            self._parser = HttpResponseParser(self)
            # RFC 9112 lets a recipient take a bare LF (2.2); some servers pad the sizes of chunks.
            self._parser.set_dangerous_leniencies(
                lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
            )
            self._spent = False

    def feed(self, data: bytes) -> None:
        """Read on; raises `MalformedResponseError`, also when what is wrong comes behind a complete answer."""
        self.silent = False
        self._extra += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserCallbackError as error:
            if isinstance(error.__context__, MalformedResponseError):
                raise error.__context__ from None
            raise
        except (HttpParserError, HttpParserUpgrade) as error:
            raise MalformedResponseError(f"no answer in HTTP/1.1 ({error})") from None
        if self._extra > EXTRA_LIMIT + 16 * self._received:
            self.complete = False
            raise MalformedResponseError("an answer with too much besides its body")

    def forget(self) -> None:
        """Let go of an answer that is complete: a connection that is kept would keep its body too."""
        del self._answer

    # What follows is called by the parser.

    def on_message_begin(self) -> None:
        """Another answer begins."""
        if self.complete:
            raise MalformedResponseError("more than one answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header, or reject an unexpected trailer."""
        if self.complete:
            raise MalformedResponseError("a trailer where there is none")
        if self._answer.status:
            # A trailer may be read by those who know what it means; here nobody does.
            self._spent = True
        else:
            self._pairs.append((name, value))

    def on_headers_complete(self) -> None:
        """Check the complete head and pass it to the response."""
        status = self._parser.get_status_code()
        if not 100 <= status <= 599 or status == 101 or self._parser.get_http_version() not in _VERSIONS:
            raise MalformedResponseError("an answer of another protocol")
        if len(self._pairs) > FIELDS_LIMIT:
            raise MalformedResponseError("an answer with too many header fields")
        if status < 200:
            self._interim = True
            self._pairs = []
        else:
            self._begin(status)

    def on_body(self, data: bytes) -> None:
        """Pass a piece of the body to the response."""
        if self.complete:
            raise MalformedResponseError("a body where there is none")
        self._extra -= len(data)
        self._received += len(data)
        self._answer.more(data)

    def on_message_complete(self) -> None:
        """Note that the response is complete."""
        if self._interim:
            self._interim = False
        elif not self.complete:
            self.complete = True
            self.keeps = self._parser.should_keep_alive()

    def _begin(self, status: int) -> None:
        framing: dict[bytes, bytes] = {}
        for name, value in self._pairs:
            lower = name.lower()
            if lower in _READ:
                framing[lower] = framing[lower] + b"," + value if lower in framing else value
        length, coded = framing.get(b"content-length"), framing.get(b"transfer-encoding")
        if coded is not None and coded.strip().lower() != b"chunked":
            raise MalformedResponseError("an answer in a transfer coding that was not asked for")
        answer = self._answer
        answer.head(status, self._pairs, framing.get(b"content-type", b""))
        if self._head:
            self._end_head(framing.get(b"connection", b""))
        elif status not in _BODILESS:
            self.endless = length is None and coded is None
            coding = framing.get(b"content-encoding", b"").strip().lower()
            answer.expect(None if length is None else int(length), coding)

    def _end_head(self, connection: bytes) -> None:
        # The parser takes the length for that of a body to come, so it is of no use any more.
        self._spent = self.complete = True
        self.keeps = self._parser.get_http_version() == "1.1" and b"close" not in connection.lower()
