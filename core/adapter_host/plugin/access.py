"""The access check of exposers whose protocol is not served by the host."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from adapter_host.operation.callers import CallContext, Principal


@dataclass(frozen=True, slots=True)
class Refusal:
    """The response to a request without valid credentials.

    `status` is that of HTTP: 401 for missing or invalid credentials, 403 for too few rights, 503 if the authorization
    server is unavailable, with `retry_after` in seconds. Each challenge is a WWW-Authenticate (RFC 9110). `code` is one
    word for the reason, which is stable. `principal` is a client that was recognized, but has too few rights.
    """

    status: int
    detail: str
    challenges: tuple[str, ...] = ()
    retry_after: float | None = None
    code: str = "refused"
    principal: Principal | None = None


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """A request that was refused before it became a call: its caller, its target, and the reason.

    `method` is that of HTTP, `OTHER` for an unknown one, and None if the protocol has none. `path` is the path template
    of an operation or a route, None if the request is for no known one. `authentication` is the type that the exposer
    requires, None without one.
    """

    call: CallContext
    refusal: Refusal
    method: str | None = None
    path: str | None = None
    authentication: str | None = None


ObserveRefusal = Callable[[RefusedRequest], None]
"""Is called with each request that an access check refuses."""

Verdict = Principal | Refusal
"""The outcome of an access check."""


class AccessCheck(ABC):
    """Checks the `authentication` of an exposer, of every type, for protocols that the host does not serve itself."""

    @abstractmethod
    def check(
        self,
        headers: Mapping[str, str],
        *,
        method: str = "",
        path: str = "",
        peer: str | None = None,
        transport: asyncio.BaseTransport | None = None,
        template: str | None = None,
        request_id: str | None = None,
    ) -> Verdict | Awaitable[Verdict]:
        """Return the client or a refusal; an awaitable of it only when another server must be asked.

        `headers` are the request's, names in any case; a multidict or a plain mapping. `method` and `path` are those
        that a client of HTTP would send: `digest` signs both, and an API key may be in the query of the path. `peer` is
        the address of the client, for the log. `transport` is the connection, for `mutualTLS`: without it, nobody has a
        certificate. `template` is the path template, and `request_id` the id, of a refused request in records;
        without a template its path is unknown.
        """
