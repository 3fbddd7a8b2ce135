"""Access tokens that replicas share: sealed in the state store, and requested by one replica at a time."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any, Final

from adapter_host.errors import LockHeldError, StoreUnavailableError
from adapter_host.json_nesting import decode_json, encode_json
from adapter_host.plugin.context import BuildContext
from adapter_host.state.sealing import Sealer
from adapter_host.state.store import StateStore

from .token_endpoint import Grant, TokenResponse

REFRESH_MARGIN: Final = 30.0
"""A token is replaced so many seconds before it expires, or after half of a shorter lifetime."""

LOCK_TIME: Final = 10.0
"""The seconds for which a replica may be the only one that requests a token."""

KEPT_FOR: Final = 86_400.0
"""The seconds after which the store drops a token, also one that does not expire."""

RequestToken = Callable[[], Awaitable[TokenResponse]]


def refresh_after(lifetime: float) -> float:
    """Return the seconds after which a token with a lifetime is replaced."""
    return max(lifetime - REFRESH_MARGIN, lifetime / 2)


def share_tokens(context: BuildContext, source: str, grant: Grant) -> SharedTokens | None:
    """Return the tokens that replicas share for a client, None if they share no store or have no key to seal with."""
    if context.settings.mock or not context.state.is_shared or (sealer := context.sealer("oauth2")) is None:
        return None
    client = [source, grant.client, grant.secret, grant.method, grant.scope, grant.resource, grant.audience]
    # Signed, as readers of the store must not test guesses of the secret; another secret means another key.
    key = f"token:{sealer.sign(encode_json(client)).hex()}"
    return SharedTokens(context.state.namespaced("oauth2"), sealer, key)


@dataclass(frozen=True, slots=True)
class _Stored:
    """A token in the store; the times are those of the wall clock."""

    token: str = field(repr=False)
    refresh_at: float
    expires_at: float

    @classmethod
    def read(cls, value: bytes) -> _Stored:
        """Read a value that this class has written."""
        content: dict[str, Any] = decode_json(value)
        expires_at = content["expires_at"]
        return cls(content["token"], content["refresh_at"] or inf, inf if expires_at is None else expires_at)

    def written(self) -> bytes:
        """Return the value for the store."""
        times = {"refresh_at": self.refresh_at, "expires_at": self.expires_at}
        return encode_json({"token": self.token, **{name: at if isfinite(at) else None for name, at in times.items()}})


class SharedTokens:
    """The token of one client of an authorization server. `clock` is the time that replicas share, about."""

    def __init__(self, store: StateStore, sealer: Sealer, key: str, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._sealer = sealer
        self._key = key
        self._clock = clock

    async def token(self, request: RequestToken, rejected: str | None, wait: float) -> TokenResponse:
        """Return the token in the store, or request another one if it is due or `rejected` by the API.

        While another replica requests one, wait for it. This replica requests its own if that takes longer than `wait`
        seconds, or if the store is unavailable. Raise `UpstreamError`.
        """
        response: TokenResponse | None = None
        try:
            response, _ = await self._read(rejected)
            if response is None:
                async with self._store.lock(self._key, LOCK_TIME, wait=min(wait, LOCK_TIME)):
                    response, current = await self._read(rejected)
                    if response is None:
                        response = await request()
                        await self._write(response, current)
        except (LockHeldError, StoreUnavailableError):
            if response is None:
                return await request()
        return response

    async def _read(self, rejected: str | None) -> tuple[TokenResponse | None, bytes | None]:
        """Return the token if it can be used, and the value in the store."""
        value = await self._store.get(self._key)
        opened = None if value is None else self._sealer.unseal(value, self._key)
        if opened is None:
            return None, value
        stored = _Stored.read(opened)
        now = self._clock()
        if stored.token == rejected or now >= stored.refresh_at:
            return None, value
        return TokenResponse(stored.token, stored.expires_at - now), value

    async def _write(self, response: TokenResponse, current: bytes | None) -> None:
        lifetime = response.expires_in
        kept_for = min(lifetime, KEPT_FOR)
        if kept_for <= 0:
            return
        now = self._clock()
        stored = _Stored(response.access_token, now + refresh_after(lifetime), now + lifetime)
        sealed = self._sealer.seal(stored.written(), self._key)
        # The lock may have ended meanwhile: the token of its next owner is newer.
        with suppress(StoreUnavailableError):
            await self._store.compare_and_set(self._key, current, sealed, kept_for)
