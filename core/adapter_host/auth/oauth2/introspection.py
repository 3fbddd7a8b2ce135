"""Tokens that only their authorization server can read: it is asked about each (RFC 7662)."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote_plus

import aiohttp

from adapter_host.auth.credentials import Principal

from .authorization_server import AuthorizationServer
from .claims import Expected, InvalidToken, expiry

LIFETIME: Final = 30.0
"""For how many seconds an answer about a token holds; one that is revoked is accepted for so long."""
REMEMBERED: Final = 10_000

_INACTIVE: Final = "the token is not active"


@dataclass(frozen=True, slots=True)
class Client:
    """Who we are to the authorization server."""

    id: str
    secret: str = field(repr=False)

    def basic(self) -> str:
        """Its Authorization header (RFC 6749, 2.3.1)."""
        return aiohttp.encode_basic_auth(quote_plus(self.id), quote_plus(self.secret))


class IntrospectedTokens:
    """Accepts tokens that an authorization server says are active and meant for us."""

    def __init__(
        self, server: AuthorizationServer, audience: str, client: Client, clock: Callable[[], float] = time.time
    ) -> None:
        self._server = server
        self._expected = Expected(audience, required=())
        self._client = client
        self._clock = clock
        self._answers: OrderedDict[bytes, tuple[float, Principal | str]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Principal]] = {}

    def known(self, token: str) -> Principal | None:
        """Whose token it is, by an answer that still holds; None when the server is to be asked."""
        until, answer = self._answers.get(_key(token), (0.0, None))
        if answer is None or until <= self._clock():
            return None
        return _accepted(answer)

    async def learned(self, token: str) -> Principal:
        """Whose token it is, as the server says now; raises `InvalidToken` and `UnavailableError`."""
        key = _key(token)
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._ask(key, token))
            asking.add_done_callback(lambda task: self._asked(key, task))
        # Shielded: one request that goes away must not take the answer from others with the same token.
        return await asyncio.shield(asking)

    async def stop(self) -> None:
        """End what is on its way."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _ask(self, key: bytes, token: str) -> Principal:
        url = await self._server.endpoint("introspection_endpoint")
        form = {"token": token, "token_type_hint": "access_token"}
        claims = await self._server.ask(url, form, headers={"Authorization": self._client.basic()})
        answer: Principal | str
        until = self._clock() + LIFETIME
        try:
            answer = self._principal(claims)
            until = min(until, expiry(claims) or until)
        except InvalidToken as error:
            answer = str(error)
        self._remember(key, until, answer)
        return _accepted(answer)

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        if claims.get("active") is not True:
            raise InvalidToken(_INACTIVE)
        return self._expected.principal(claims, self._server.issuer, self._clock())

    def _remember(self, key: bytes, until: float, answer: Principal | str) -> None:
        self._answers[key] = (until, answer)
        self._answers.move_to_end(key)
        if len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)

    def _asked(self, key: bytes, task: asyncio.Task[Principal]) -> None:
        del self._asking[key]
        # Whoever waits gets it; when nobody is left, it has been logged where it is the server's.
        if not task.cancelled():
            task.exception()


def _accepted(answer: Principal | str) -> Principal:
    """The principal; an answer that is why there is none is raised."""
    if isinstance(answer, str):
        raise InvalidToken(answer)
    return answer


def _key(token: str) -> bytes:
    # The tokens themselves are not kept.
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
