"""How requests reach an origin: what every transport offers, and what can go wrong on the way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ssl import SSLContext
from typing import Final

from multidict import MultiMapping

from adapter_host_http.request.request import Request

MAX_CONNECTIONS: Final = 100
"""So many connections to one origin at once; further calls wait for one."""


class TransportError(Exception):
    """No answer: there was no connection, or it broke. The text may be logged: it holds nothing of a request."""


class ConnectTimeoutError(TransportError):
    """No connection in the time that one may take."""


class MalformedResponseError(TransportError):
    """What came is no answer in HTTP/1.1, or is in a coding that nobody asked for."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a transport leads, as RFC 9110 says (4.3.1); `host` is without brackets, `authority` as in `Host`."""

    scheme: str
    host: str
    port: int
    authority: str
    ssl_context: SSLContext | None = None

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, in seconds: for a connection, and between two pieces of an answer that is streamed."""

    connect_timeout: float
    idle_timeout: float
    max_connections: int = MAX_CONNECTIONS


class Response(ABC):
    """An answer whose head has come. `body` is all of its body, decoded, where that was held.

    `media_type` is its Content-Type, which may be missing. Whoever gets one reads it to its end or closes it; closed
    before its end, it ends its connection too.
    """

    __slots__ = ("body", "headers", "media_type", "status")

    status: int
    headers: MultiMapping[str]
    media_type: str
    body: bytes | None

    @abstractmethod
    async def read(self, limit: int) -> bytes | None:
        """All of the body before the deadline; None, and closed, when it is larger than `limit` bytes."""

    @abstractmethod
    def chunks(self) -> AsyncIterator[bytes]:
        """Return the body as it comes; from now on it has no deadline, only pauses are bounded."""

    @abstractmethod
    def close(self) -> None:
        """Be done with it."""


class Transport(ABC):
    """Sends requests to one origin, and follows nothing: a redirect is an answer."""

    @abstractmethod
    async def open(self) -> None:
        """Be ready to send."""

    @abstractmethod
    async def close(self) -> None:
        """End every connection; calls that are in progress fail."""

    @abstractmethod
    async def send(self, method: str, request: Request, *, deadline: float, buffer_limit: int) -> Response:
        """Send a request whose target begins at the root of the origin, and wait for the head of its answer.

        Wait for a body of at most `buffer_limit` bytes, too. `deadline` is a time of the event loop's clock. Raises
        `TransportError`, and `TimeoutError` after the deadline.
        """
