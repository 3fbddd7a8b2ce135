"""Responses that are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from multidict import CIMultiDict, MultiMapping

from adapter_host import decode_json, encode_json, end_to_end_headers
from adapter_host_http.cache_policy import KEPT_FOR, CachePolicy
from adapter_host_http.request.request import Request
from adapter_host_http.transport.base import Response

from .directives import Directives, response_directives, seconds
from .freshness import forbids_stale, initial_age, is_usable, lifetime, permits_stale
from .status import Outcome

_BODY_HEADERS: Final = frozenset({"content-encoding", "content-length", "content-range", "content-type"})
"""The headers of a 304 that do not replace those of the response, as they describe its body (section 3.2)."""

_NOT_KEPT: Final = frozenset({"age", "set-cookie"})


@dataclass(frozen=True, slots=True)
class Exchange:
    """When a request was sent and its response received, as seconds of the wall clock."""

    sent_at: float
    received_at: float


@dataclass(frozen=True)
class Entry:
    """A response; `age` is that at `received_at`. It is `shared` by all callers, or that of one."""

    status: int
    media_type: str
    headers: MultiMapping[str] = field(repr=False)
    body: bytes = field(repr=False)
    received_at: float
    age: float
    shared: bool = True

    @classmethod
    def of(cls, response: Response, body: bytes, exchange: Exchange) -> Entry:
        """Return the entry of a response."""
        age = initial_age(response.headers, exchange.sent_at, exchange.received_at)
        headers = _kept_headers(response.headers)
        return cls(response.status, response.media_type, headers, body, exchange.received_at, age)

    @classmethod
    def read(cls, value: bytes) -> Entry:
        """Read a value that this class has written."""
        head, _, body = value.partition(b"\n")
        content: dict[str, Any] = decode_json(head)
        headers = CIMultiDict((_received(name), _received(text)) for name, text in content["headers"])
        media_type = _received(content["media_type"])
        return cls(content["status"], media_type, headers, body, content["at"], content["age"], content["shared"])

    def written(self) -> bytes:
        """Return the value for the store: a line of JSON, and the body."""
        head = {
            "status": self.status,
            "media_type": _portable(self.media_type),
            "headers": [(_portable(name), _portable(text)) for name, text in self.headers.items()],
            "at": self.received_at,
            "age": self.age,
            "shared": self.shared,
        }
        return encode_json(head) + b"\n" + self.body

    @cached_property
    def directives(self) -> Directives:
        return response_directives(self.headers)

    @cached_property
    def fresh_for(self) -> float:
        """The seconds from its creation for which it is fresh."""
        return lifetime(self.headers, self.directives, self.received_at, shared=self.shared)

    def age_at(self, now: float) -> float:
        """Return its age (section 4.2.3); clocks of replicas may differ."""
        return self.age + max(0.0, now - self.received_at)

    def is_usable(self, request: Directives, now: float) -> bool:
        """Return whether it can be used for a request without validation."""
        return is_usable(self.directives, request, self.age_at(now), self.fresh_for, shared=self.shared)

    def ttl_at(self, now: float) -> float:
        """Return the seconds for which it is still fresh; negative if it is not."""
        return self.fresh_for - self.age_at(now)

    def is_usable_after_error(self, now: float, policy: CachePolicy) -> bool:
        """Return whether it can be used because the API fails (RFC 5861, section 4)."""
        return -self.ttl_at(now) <= self._stale_limit("stale-if-error", policy.stale_if_error)

    def is_usable_while_revalidated(self, request: Directives, now: float, policy: CachePolicy) -> bool:
        """Return whether it can be used for a request while it is validated in the background (RFC 5861, section 3)."""
        limit = self._stale_limit("stale-while-revalidate", policy.stale_while_revalidate)
        return limit > 0 and -self.ttl_at(now) <= limit and permits_stale(request, self.age_at(now))

    def kept_for(self, policy: CachePolicy) -> float:
        """Return the seconds for which it can be of use; 0 if it cannot."""
        if self._conditions:
            return KEPT_FOR
        stale = max(
            0.0,
            self._stale_limit("stale-if-error", policy.stale_if_error),
            self._stale_limit("stale-while-revalidate", policy.stale_while_revalidate),
        )
        return min(KEPT_FOR, max(0.0, self.fresh_for - self.age) + stale)

    def conditional(self, request: Request) -> Request:
        """Return a request that validates it (section 4.3.1)."""
        for name, value in self._conditions.items():
            request = request.with_header(name, value)
        return request

    def is_validated_by(self, response: Response) -> bool:
        """Return whether a 304 is about this response (section 4.3.4)."""
        tag = response.headers.get("ETag")
        return tag is None or tag.removeprefix("W/") == self.headers.get("ETag", "").removeprefix("W/")

    def updated(self, response: Response, exchange: Exchange) -> Entry:
        """Return it with the headers and the times of a 304 (section 3.2)."""
        new = _kept_headers(response.headers)
        replaced = {name.lower() for name in new} - _BODY_HEADERS
        headers = CIMultiDict((name, value) for name, value in self.headers.items() if name.lower() not in replaced)
        headers.extend((name, value) for name, value in new.items() if name.lower() in replaced)
        age = initial_age(response.headers, exchange.sent_at, exchange.received_at)
        return replace(self, headers=headers, received_at=exchange.received_at, age=age)

    def _stale_limit(self, directive: str, default: float) -> float:
        """Return the seconds for which it may be used when it is stale: those of its directive, or the default."""
        if forbids_stale(self.directives, shared=self.shared):
            return -1.0
        own = seconds(self.directives, directive)
        return default if own is None else own

    @cached_property
    def _conditions(self) -> dict[str, str]:
        names = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}
        return {condition: self.headers[name] for name, condition in names.items() if name in self.headers}


def unavailable_entry(now: float) -> Entry:
    """Return the response to an `only-if-cached` request without a usable one (section 5.2.1.7)."""
    return Entry(504, "", CIMultiDict(), b"", now, 0.0)


class KeptResponse(Response):
    """A response from the cache; one of more than `buffer_limit` bytes is read or streamed, as from a connection."""

    __slots__ = ("_content", "cached")

    def __init__(self, entry: Entry, now: float, buffer_limit: int, outcome: Outcome | None) -> None:
        self.cached = outcome
        self.status = entry.status
        self.media_type = entry.media_type
        self.headers = CIMultiDict((*entry.headers.items(), ("Age", str(int(entry.age_at(now))))))
        self.is_event_stream = False
        self.body = entry.body if len(entry.body) <= buffer_limit else None
        self._content = entry.body

    async def read(self, limit: int) -> bytes | None:
        """Return the body, or None if it has more than `limit` bytes."""
        return self._content if len(self._content) <= limit else None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body."""
        yield self._content

    def close(self) -> None:
        """Do nothing: there is no connection."""


def _kept_headers(headers: MultiMapping[str]) -> CIMultiDict[str]:
    kept: Iterable[tuple[str, str]] = end_to_end_headers(headers).items()
    return CIMultiDict((name, value) for name, value in kept if name.lower() not in _NOT_KEPT)


# JSON has no lone surrogates, which stand for bytes of headers that are not UTF-8.
def _portable(text: str) -> str:
    return text.encode(errors="surrogateescape").decode("latin-1")


def _received(text: str) -> str:
    return text.encode("latin-1").decode(errors="surrogateescape")
