"""Cache and refresh the key set of an authorization server (RFC 7517)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import jwt

from adapter_host.errors import UnavailableError

from .authorization_server import RETRY_AFTER

MAX_AGE: Final = 300.0
"""The age in seconds at which the keys are refreshed in the background."""
MAX_STALE: Final = 86_400.0
"""The maximum age of keys in seconds while refreshing fails."""
MIN_INTERVAL: Final = 30.0
"""The minimum time between two fetches in seconds, for any key id; `RETRY_AFTER` while there are no keys."""
KEY_LIMIT: Final = 64

_UNUSABLE: Final = "the keys of the authorization server are unavailable"

_log = logging.getLogger("adapter_host")

Key = jwt.PyJWK
Fetch = Callable[[], Awaitable[Mapping[str, Any]]]

_BY_TYPE: Final[Mapping[tuple[str, str | None], tuple[str, ...]]] = {
    ("RSA", None): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
    ("OKP", "Ed448"): ("EdDSA",),
}

ALGORITHMS: Final = frozenset(name for names in _BY_TYPE.values() for name in names)
"""The accepted algorithms: asymmetric ones, whose keys can be published."""


class KeySet:
    """The keys of an authorization server, by algorithm and id."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: tuple[tuple[str, str | None, Key], ...] = ()
        self._fetched_at = self._attempted_at = float("-inf")
        self._renewal: asyncio.Task[None] | None = None

    def find(self, algorithm: str, key_id: str | None) -> list[Key]:
        """Return the cached keys for a token; refresh old keys in the background."""
        age = self._clock() - self._fetched_at
        if age >= MAX_STALE:
            return []
        if age >= MAX_AGE and self._may_fetch():
            self._renew()
        return [key for name, entry_id, key in self._keys if name == algorithm and key_id in (None, entry_id)]

    async def find_or_fetch(self, algorithm: str, key_id: str | None) -> list[Key]:
        """Return the keys for a token, fetched now if allowed; raise `UnavailableError` without any keys."""
        if self._renewal or self._may_fetch():
            try:
                # Shielded: a cancelled request must not cancel the fetch for others.
                await asyncio.shield(self._renewal or self._renew())
            except UnavailableError:
                if self._clock() - self._fetched_at >= MAX_STALE:
                    raise
        elif self._clock() - self._fetched_at >= MAX_STALE:
            raise UnavailableError(_UNUSABLE, retry_after=RETRY_AFTER)
        return self.find(algorithm, key_id)

    async def stop(self) -> None:
        """Cancel a fetch in progress."""
        if self._renewal:
            self._renewal.cancel()
            await asyncio.wait([self._renewal])

    def _may_fetch(self) -> bool:
        interval = MIN_INTERVAL if self._keys else RETRY_AFTER
        return self._renewal is None and self._clock() - self._attempted_at >= interval

    def _renew(self) -> asyncio.Task[None]:
        self._renewal = asyncio.create_task(self._fetch_keys())
        self._renewal.add_done_callback(_retrieve_exception)
        return self._renewal

    async def _fetch_keys(self) -> None:
        try:
            self._keys, self._fetched_at = _parse_key_set(await self._fetch()), self._clock()
        finally:
            self._attempted_at = self._clock()
            self._renewal = None


def _retrieve_exception(renewal: asyncio.Task[None]) -> None:
    # The failure is logged by the authorization server client; the cached keys stay in use.
    if not renewal.cancelled():
        renewal.exception()


def _parse_key_set(document: Mapping[str, Any]) -> tuple[tuple[str, str | None, Key], ...]:
    """Return the signature keys of a key set with algorithm and id; raise `UnavailableError` for none."""
    keys: list[tuple[str, str | None, Key]] = []
    entries = document.get("keys")
    for entry in entries[:KEY_LIMIT] if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("use", "sig") == "sig":
            entry_id = entry.get("kid")
            keys += [(name, entry_id if isinstance(entry_id, str) else None, key) for name, key in _keys(entry)]
    if not keys:
        _log.warning("the authorization server publishes no usable key")
        raise UnavailableError(_UNUSABLE, retry_after=RETRY_AFTER)
    return tuple(keys)


def _keys(entry: dict[str, Any]) -> list[tuple[str, Key]]:
    key_type = entry.get("kty")
    algorithms = _BY_TYPE.get((str(key_type), None if key_type == "RSA" else entry.get("crv")), ())
    algorithm = entry.get("alg")
    try:
        keys = [(name, jwt.PyJWK(entry, name)) for name in algorithms if algorithm in (None, name)]
    except jwt.PyJWTError:
        return []
    return [(name, key) for name, key in keys if not key.Algorithm.check_key_length(key.key)]
