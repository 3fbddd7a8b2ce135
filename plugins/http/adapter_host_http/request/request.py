"""An HTTP request as it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from multidict import CIMultiDict

from adapter_host import CONNECTION_HEADERS, HeaderWriter

CONTENT_TYPE: Final = "Content-Type"


CODINGS: Final = "gzip, deflate"


# A handshake gives the first, and the second is about the body as it is sent.
_SEPARATE: Final = frozenset({"authorization", "content-length"})
_NOT_PREPARED: Final = _SEPARATE | CONNECTION_HEADERS


Pair = tuple[str, str]


Payload = bytes | AsyncIterable[bytes] | None


class Prepared:
    """The headers that no call changes; `lines` are all of them as they are sent.

    With `codings` they say which codings of an answer are understood.
    """

    __slots__ = ("codings", "count", "lines", "pairs")

    def __init__(self, pairs: Iterable[Pair] = (), *, codings: bool = True) -> None:
        self.pairs = tuple(pairs)
        self.codings = codings
        accepted = f"Accept-Encoding: {CODINGS}\r\n" if codings else ""
        self.lines = "".join(f"{name}: {value}\r\n" for name, value in self.pairs) + accepted
        self.count = len(self.pairs) + bool(accepted)


@dataclass(slots=True)
class Request:
    """What one call sends; `target` is the path and query, `own` are its own headers by lower-case name.

    One that is `as_is` is passed on: its answer is neither decoded nor followed elsewhere.
    """

    target: str
    prepared: Prepared
    own: dict[str, Pair]
    body: Payload
    as_is: bool = False

    @property
    def headers(self) -> CIMultiDict[str]:
        """All of its headers that are not the connection's."""
        return CIMultiDict((*self.prepared.pairs, *self.own.values()))

    @classmethod
    def of(cls, target: str, headers: CIMultiDict[str], body: Payload, *, as_is: bool, codings: bool) -> Request:
        """One whose headers were put together for it alone; those that are the connection's are left out."""
        own = {name.lower(): (name, value) for name, value in headers.items() if name.lower() in _SEPARATE}
        pairs = [(name, value) for name, value in headers.items() if name.lower() not in _NOT_PREPARED]
        return cls(target, Prepared(pairs, codings=codings), own, body, as_is)

    def at(self, target: str) -> Request:
        """Return the same with another target."""
        return Request(target, self.prepared, self.own, self.body, self.as_is)

    def written(self, writers: Iterable[HeaderWriter]) -> Request:
        """Return the same with what plugins write into its headers."""
        headers = self.headers
        for write in writers:
            write(headers)
        codings = self.prepared.codings and "Accept-Encoding" not in headers
        return Request.of(self.target, headers, self.body, as_is=self.as_is, codings=codings)

    @property
    def repeatable(self) -> bool:
        """Whether it can be sent twice: a body that is read as it is sent cannot."""
        return self.body is None or isinstance(self.body, bytes)

    def having(self, name: str, value: str) -> Request:
        """Return the same with another header, which none of the prepared ones may be."""
        return replace(self, own={**self.own, name.lower(): (name, value)})
