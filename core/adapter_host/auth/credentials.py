"""Who a caller is, and what one who is not let in is told."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from aiohttp import web


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: `subject` as the credentials name it, if they do; `scopes` are what its token grants."""

    subject: str | None = None
    scopes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a request without the right credentials is answered; each challenge is a WWW-Authenticate (RFC 9110)."""

    status: int
    detail: str
    challenges: tuple[str, ...] = ()
    retry_after: float | None = None


Verdict = Principal | Refusal


class Credentials(ABC):
    """What a request must carry."""

    kind: ClassVar[str]
    """The document's word for it."""

    @abstractmethod
    def check(self, request: web.Request) -> Verdict | Awaitable[Verdict]:
        """Who sends the request, or why it is refused; at once wherever nothing has to be asked of somebody else."""


class IssuedCredentials(Credentials):
    """Credentials that somebody else issues, who may have to be asked."""

    @abstractmethod
    def documents(self, path: str) -> Mapping[str, bytes]:
        """The JSON that anybody may read about an exposer at `path`, by the path where it is looked for."""

    @abstractmethod
    async def start(self) -> None:
        """Open what checks need; nobody is asked yet."""

    @abstractmethod
    async def stop(self) -> None:
        """Close what `start` opened."""


def authorization_value(request: web.Request, scheme: str) -> str:
    """What stands behind `scheme` (in lower case) in a request's Authorization, or nothing."""
    sent_scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if sent_scheme.lower() == scheme else ""
