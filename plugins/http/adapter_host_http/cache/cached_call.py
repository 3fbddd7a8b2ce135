"""A request to an API whose responses are kept, and the place of its response."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from multidict import MultiMapping

from adapter_host_http.cache_policy import CachePolicy
from adapter_host_http.request.request import Request
from adapter_host_http.transport.base import Response

from .directives import Directives, request_directives
from .entry import Entry
from .status import Status, marked
from .storage import UrlRecord

Send = Callable[[Request], Awaitable[Response]]

_BYPASS: Final = ("Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range")


class Responder(Protocol):
    """The part of a cache that a call needs."""

    async def respond(self, work: Work) -> tuple[Response, Status]:
        """Return the response to a request, and how the cache has handled it."""


@dataclass(frozen=True, slots=True)
class CachedCall:
    """The part of a call's key that its operation decides: the `own` headers, before plugins write theirs."""

    cache: Responder
    policy: CachePolicy
    own: tuple[Any, ...]

    async def respond(
        self,
        method: str,
        url: str,
        request: Request,
        sender: Callable[[float], Send],
        buffer_limit: int,
        deadline: float,
    ) -> Response:
        """Return the response to a request, from the cache or the API; raise the errors of sending it.

        `sender` returns the function that sends a request before a deadline. While the state store is away, each
        request is sent to the API.
        """
        headers = request.headers
        directives = request_directives(headers)
        if request.body is not None or "no-store" in directives or any(name in headers for name in _BYPASS):
            response = await sender(deadline)(request)
            return marked(response, Status.forwarded("bypass")) if self.policy.cache_status else response
        work = Work(self, method, url, request, headers, directives, sender, deadline, buffer_limit)
        response, status = await self.cache.respond(work)
        return marked(response, status) if self.policy.cache_status else response


@dataclass(frozen=True, slots=True)
class Place:
    """Where the response to a request is kept; `entry` is the one that is."""

    record: UrlRecord
    key: str
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class Work:
    """A request in the cache, and how it is sent to the API."""

    call: CachedCall
    method: str
    url: str
    request: Request
    headers: MultiMapping[str]
    directives: Directives
    sender: Callable[[float], Send]
    deadline: float
    buffer_limit: int

    async def send(self, request: Request) -> Response:
        """Send a request before the deadline."""
        return await self.sender(self.deadline)(request)

    def until(self, deadline: float) -> Work:
        """Return the same work with another deadline."""
        return replace(self, deadline=deadline)
