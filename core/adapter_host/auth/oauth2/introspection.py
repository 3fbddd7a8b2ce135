"""Verify opaque tokens by introspection at the authorization server (RFC 7662)."""

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

from adapter_host.auth.credentials import sent_bytes
from adapter_host.operation.callers import Principal

from .authorization_server import AuthorizationServer
from .claims import ExpectedClaims, InvalidTokenError, expiry

CACHE_SECONDS: Final = 30.0
"""How long a result is cached, in seconds; a revoked token is accepted for that time."""
CACHE_SIZE: Final = 10_000

_INACTIVE: Final = "the token is not active"


@dataclass(frozen=True, slots=True)
class Client:
    """The credentials of the host at the authorization server."""

    id: str
    secret: str = field(repr=False)

    def basic(self) -> str:
        """Return the Authorization header (RFC 6749, 2.3.1)."""
        return aiohttp.encode_basic_auth(quote_plus(self.id), quote_plus(self.secret))


class IntrospectionVerifier:
    """Accepts tokens that are active at the authorization server and have the audience."""

    def __init__(
        self,
        server: AuthorizationServer,
        audience: str,
        client: Client,
        *,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._expected = ExpectedClaims(audience, required=())
        self._client = client
        # The claims of a token have dates; the age of a result must not depend on corrections of the date.
        self._wall_clock = wall_clock
        self._clock = clock
        self._results: OrderedDict[bytes, tuple[float, Principal | str]] = OrderedDict()
        self._pending: dict[bytes, asyncio.Task[Principal]] = {}

    def verify_cached(self, token: str) -> Principal | None:
        """Return the client of a token from the cache; None when the server must be asked."""
        expires_at, result = self._results.get(_key(token), (float("-inf"), None))
        if result is None or expires_at <= self._clock():
            return None
        return _principal_or_raise(result)

    async def verify(self, token: str) -> Principal:
        """Return the client of a token from the server; raise `InvalidTokenError` or `UnavailableError`."""
        key = _key(token)
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = asyncio.create_task(self._introspect(key, token))
            pending.add_done_callback(lambda task: self._finished(key, task))
        # Shielded: a cancelled request must not cancel the introspection for others with the same token.
        return await asyncio.shield(pending)

    async def stop(self) -> None:
        """Cancel pending introspections."""
        pending = list(self._pending.values())
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    async def _introspect(self, key: bytes, token: str) -> Principal:
        url = await self._server.endpoint("introspection_endpoint")
        form = {"token": token, "token_type_hint": "access_token"}
        claims = await self._server.request_json(url, form, headers={"Authorization": self._client.basic()})
        result: Principal | str
        lifetime = CACHE_SECONDS
        now = self._wall_clock()
        try:
            result = self._principal(claims, token, now)
            expires = expiry(claims)
            lifetime = lifetime if expires is None else min(lifetime, expires - now)
        except InvalidTokenError as error:
            result = str(error)
        self._cache(key, self._clock() + lifetime, result)
        return _principal_or_raise(result)

    def _principal(self, claims: Mapping[str, Any], token: str, now: float) -> Principal:
        if claims.get("active") is not True:
            raise InvalidTokenError(_INACTIVE)
        return self._expected.principal(claims, self._server.issuer, token, now)

    def _cache(self, key: bytes, expires_at: float, result: Principal | str) -> None:
        self._results[key] = (expires_at, result)
        self._results.move_to_end(key)
        if len(self._results) > CACHE_SIZE:
            self._results.popitem(last=False)

    def _finished(self, key: bytes, task: asyncio.Task[Principal]) -> None:
        del self._pending[key]
        # Waiting requests raise the exception; without any, mark it as retrieved. Failures are logged already.
        if not task.cancelled():
            task.exception()


def _principal_or_raise(result: Principal | str) -> Principal:
    if isinstance(result, str):
        raise InvalidTokenError(result)
    return result


def _key(token: str) -> bytes:
    # Do not store tokens in the cache.
    return hashlib.sha256(sent_bytes(token)).digest()
