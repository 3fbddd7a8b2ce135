"""Interface and errors of transports, which send requests to one origin."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ssl import SSLContext
from typing import Final

from multidict import MultiMapping

from adapter_host import ClientTls
from adapter_host_http.request.request import Request

MAX_CONNECTIONS: Final = 100
"""Connections to one origin at the same time; further calls wait."""


class TransportError(Exception):
    """A request failed without a complete response. The text can be logged: it never quotes a request.

    `sent` is false if no part of the request was sent.
    """

    sent = True


class ConnectError(TransportError):
    """There is no connection. It is `sent` if the same request was sent before, over a stale connection."""

    sent = False


class ProxyError(ConnectError):
    """The proxy opened no connection to the API."""


class ConnectTimeoutError(ConnectError):
    """No connection was established in time."""


class ConnectDeadlineError(ConnectError):
    """No connection was established, or became free, before the deadline of the call."""


class DisconnectedError(TransportError):
    """The connection ended before the head of the response was complete."""


class IncompleteResponseError(TransportError):
    """The connection ended after the head of the response, and before its end."""


class MalformedResponseError(TransportError):
    """The response is not HTTP/1.1, or in a coding that was not requested."""


@dataclass(frozen=True, slots=True)
class Origin:
    """An origin (RFC 9110, 4.3.1); `host` has no brackets, `authority` is the value of `Host`.

    `tls` replaces `ssl_context`, and may have another context for each new connection.
    """

    scheme: str
    host: str
    port: int
    authority: str
    ssl_context: SSLContext | None = None
    tls: ClientTls | None = None

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a transport; timeouts are in seconds, `idle_timeout` applies between two pieces of a stream."""

    connect_timeout: float
    idle_timeout: float
    max_connections: int = MAX_CONNECTIONS


class Response(ABC):
    """A response whose head was received; `body` is the decoded body if it was buffered.

    `media_type` is the Content-Type, or empty. `is_event_stream` is set if events were asked for and it has a type of
    them. `cached` is how the cache has used it, None for one of the API. Read a response to its end or close it; that
    closes its connection, too, if it is earlier.
    """

    __slots__ = ("body", "headers", "is_event_stream", "media_type", "status")

    status: int
    headers: MultiMapping[str]
    media_type: str
    body: bytes | None
    is_event_stream: bool
    cached: str | None = None

    @abstractmethod
    async def read(self, limit: int) -> bytes | None:
        """Return the body before the deadline, or None and close if it has more than `limit` bytes."""

    @abstractmethod
    def chunks(self) -> AsyncIterator[bytes]:
        """Return the body in pieces; only pauses between them are limited from now on."""

    @abstractmethod
    def close(self) -> None:
        """Close the response."""


class Transport(ABC):
    """Sends requests to one origin; does not follow redirects."""

    @abstractmethod
    async def open(self) -> None:
        """Prepare to send requests."""

    @abstractmethod
    async def close(self) -> None:
        """Close all connections; calls in progress fail."""

    @abstractmethod
    async def send(
        self, method: str, request: Request, *, deadline: float, buffer_limit: int, events: bool = False
    ) -> Response:
        """Send a request whose target begins at the root of the origin, and receive the head of its response.

        Also receive a body of at most `buffer_limit` bytes; with `events`, not that of a stream of events. `deadline`
        is a time of the event loop's clock. Raises `TransportError`, and `TimeoutError` if the deadline passes after
        the request was sent.
        """
