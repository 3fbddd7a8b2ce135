"""An HTTP request."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from multidict import CIMultiDict

from adapter_host import CONNECTION_HEADERS, HeaderWriter

CONTENT_TYPE: Final = "Content-Type"


ACCEPTED_CODINGS: Final = "gzip, deflate"


# An authentication flow sets the first; the transport checks the second against the body.
_PER_CALL: Final = frozenset({"authorization", "content-length"})
_NOT_PREPARED: Final = _PER_CALL | CONNECTION_HEADERS


Pair = tuple[str, str]


Payload = bytes | AsyncIterable[bytes] | None


class PreparedHeaders:
    """Headers that are the same in every call; `lines` is their wire format.

    `accept_codings` adds the content codings that the transport can decode.
    """

    __slots__ = ("accept_codings", "count", "lines", "pairs")

    def __init__(self, pairs: Iterable[Pair] = (), *, accept_codings: bool = True) -> None:
        self.pairs = tuple(pairs)
        self.accept_codings = accept_codings
        accepted = f"Accept-Encoding: {ACCEPTED_CODINGS}\r\n" if accept_codings else ""
        self.lines = "".join(f"{name}: {value}\r\n" for name, value in self.pairs) + accepted
        self.count = len(self.pairs) + bool(accepted)


@dataclass(slots=True)
class Request:
    """The request of one call.

    `target` is path and query, `call_headers` are its own headers by lower-case name. The response to a `pass_through`
    request is not decoded, and its redirects are not followed.
    """

    target: str
    prepared: PreparedHeaders
    call_headers: dict[str, Pair]
    body: Payload
    pass_through: bool = False

    @property
    def headers(self) -> CIMultiDict[str]:
        """Return all headers except those of the connection."""
        return CIMultiDict((*self.prepared.pairs, *self.call_headers.values()))

    @classmethod
    def from_headers(
        cls, target: str, headers: CIMultiDict[str], body: Payload, *, pass_through: bool, accept_codings: bool
    ) -> Request:
        """Return a request with headers of its own; drop headers of the connection."""
        call_headers = {name.lower(): (name, value) for name, value in headers.items() if name.lower() in _PER_CALL}
        pairs = [(name, value) for name, value in headers.items() if name.lower() not in _NOT_PREPARED]
        return cls(target, PreparedHeaders(pairs, accept_codings=accept_codings), call_headers, body, pass_through)

    def with_target(self, target: str) -> Request:
        """Return a copy with another target."""
        return Request(target, self.prepared, self.call_headers, self.body, self.pass_through)

    def apply_writers(self, writers: Iterable[HeaderWriter]) -> Request:
        """Return a copy with the headers that plugins write."""
        headers = self.headers
        for write in writers:
            write(headers)
        accept_codings = self.prepared.accept_codings and "Accept-Encoding" not in headers
        return Request.from_headers(
            self.target, headers, self.body, pass_through=self.pass_through, accept_codings=accept_codings
        )

    @property
    def repeatable(self) -> bool:
        """Return whether it can be sent twice: a streamed body cannot."""
        return self.body is None or isinstance(self.body, bytes)

    def with_header(self, name: str, value: str) -> Request:
        """Return a copy with another header, which must not be a prepared one."""
        return replace(self, call_headers={**self.call_headers, name.lower(): (name, value)})
