"""Check the credentials of clients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol

from adapter_host.plugin.access import Verdict

if TYPE_CHECKING:
    from asyncio import BaseTransport

    from multidict import MultiMapping


class CheckedRequest(Protocol):
    """The parts of a request that credentials are checked against."""

    @property
    def method(self) -> str:
        """The method."""

    @property
    def raw_path(self) -> str:
        """The target: the percent-encoded path with the query."""

    @property
    def headers(self) -> MultiMapping[str]:
        """The headers; names in any case."""

    @property
    def transport(self) -> BaseTransport | None:
        """The connection; None if it is unknown."""

    @property
    def query(self) -> MultiMapping[str]:
        """The decoded parameters of the query."""


class Credentials(ABC):
    """Credentials that requests to an exposer must have."""

    kind: ClassVar[str]
    """The `type` in a document."""

    @abstractmethod
    def check(self, request: CheckedRequest) -> Verdict | Awaitable[Verdict]:
        """Return the client or a refusal; an awaitable only when another server must be asked."""


class IssuedCredentials(Credentials):
    """Credentials that an authorization server issues."""

    @abstractmethod
    def documents(self, path: str) -> Mapping[str, bytes]:
        """Return the public JSON metadata of an exposer at `path`, by the paths that serve it."""

    @abstractmethod
    async def start(self) -> None:
        """Open connections for checks; send no request yet."""

    @abstractmethod
    async def stop(self) -> None:
        """Close what `start` opened."""


def authorization_value(request: CheckedRequest, scheme: str) -> str:
    """Return the value after `scheme` (in lower case) in the Authorization header, or an empty string."""
    sent_scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if sent_scheme.lower() == scheme else ""


def sent_bytes(text: str) -> bytes:
    """Return the bytes that a client sent for a header or parameter, which aiohttp decoded with surrogates."""
    return text.encode("utf-8", "surrogateescape")
