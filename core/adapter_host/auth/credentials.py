"""Check the credentials of clients."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from aiohttp import web


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated client: `subject` as in its credentials, if any, and the `scopes` of its token.

    `issuer` and `client` are the authorization server of a token, and the application that it was issued to.
    `token_digest` is set only for a token that names neither a subject nor a client.
    """

    subject: str | None = None
    scopes: frozenset[str] = frozenset()
    issuer: str | None = None
    client: str | None = None
    token_digest: str | None = None

    @property
    def identity(self) -> str:
        """Return a text that is equal for requests of the same client only, and holds no secret.

        It does not depend on the scopes. Clients that share one secret without a user name have the same identity.
        """
        return json.dumps((self.issuer, self.subject, self.client, self.token_digest))


@dataclass(frozen=True, slots=True)
class Refusal:
    """The response to a request without valid credentials; each challenge is a WWW-Authenticate (RFC 9110)."""

    status: int
    detail: str
    challenges: tuple[str, ...] = ()
    retry_after: float | None = None


Verdict = Principal | Refusal


class Credentials(ABC):
    """Credentials that requests to an exposer must have."""

    kind: ClassVar[str]
    """The `type` in a document."""

    @abstractmethod
    def check(self, request: web.Request) -> Verdict | Awaitable[Verdict]:
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


def authorization_value(request: web.Request, scheme: str) -> str:
    """Return the value after `scheme` (in lower case) in the Authorization header, or an empty string."""
    sent_scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if sent_scheme.lower() == scheme else ""


def sent_bytes(text: str) -> bytes:
    """Return the bytes that a client sent for a header or parameter, which aiohttp decoded with surrogates."""
    return text.encode("utf-8", "surrogateescape")
