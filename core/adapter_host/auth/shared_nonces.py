"""Nonces of digest authentication that replicas share: signed with the key of the deployment, counted in its store."""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from collections.abc import Callable
from typing import Final

from adapter_host.errors import StoreUnavailableError
from adapter_host.plugin.context import BuildContext
from adapter_host.state.sealing import Sealer
from adapter_host.state.store import StateStore

NONCE_LIFETIME: Final = 300.0
"""The lifetime of a nonce in seconds."""

CLOCK_DIFFERENCE: Final = 30.0
"""How far the clocks of replicas may differ, in seconds."""

AWAY_FOR: Final = 1.0
"""The seconds after a failure of the store during which no shared nonce is made."""

_TIMESTAMP_BYTES: Final = 8
_RANDOM_BYTES: Final = 8
_PAYLOAD_BYTES: Final = _TIMESTAMP_BYTES + _RANDOM_BYTES
_NONCE_BYTES: Final = _PAYLOAD_BYTES + 32


def share_nonces(context: BuildContext) -> SharedNonces | None:
    """Return the nonces that replicas share, None if they share no store or have no key."""
    if not context.state.is_shared or (sealer := context.sealer("digest")) is None:
        return None
    return SharedNonces(context.state.namespaced("digest"), sealer)


class SharedNonces:
    """Nonces with a timestamp and a signature, each of whose counts one replica accepts once.

    `clock` is the time that replicas share, about.
    """

    def __init__(self, store: StateStore, sealer: Sealer, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._sealer = sealer
        self._clock = clock
        self._away_until = float("-inf")

    @property
    def available(self) -> bool:
        """Whether nonces can be counted, as far as is known."""
        return self._clock() >= self._away_until

    def new(self) -> str:
        """Return a nonce for a challenge."""
        payload = int(self._clock() * 1_000_000).to_bytes(_TIMESTAMP_BYTES) + secrets.token_bytes(_RANDOM_BYTES)
        return base64.urlsafe_b64encode(payload + self._sealer.sign(payload)).decode()

    def created_at(self, nonce: str) -> float | None:
        """Return the time at which a replica has made the nonce, None if none has."""
        try:
            raw = base64.b64decode(nonce, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        payload = raw[:_PAYLOAD_BYTES]
        if len(raw) != _NONCE_BYTES or not self._sealer.verify(payload, raw[_PAYLOAD_BYTES:]):
            return None
        return int.from_bytes(payload[:_TIMESTAMP_BYTES]) / 1_000_000

    async def use(self, nonce: str, created_at: float, count: int) -> bool:
        """Record a count; return False if it was used before, the nonce has expired or the store is unavailable."""
        age = self._clock() - created_at
        if count < 1 or not -CLOCK_DIFFERENCE <= age < NONCE_LIFETIME:
            return False
        # The clock of one replica may be late, and that of this one early.
        kept_for = NONCE_LIFETIME - age + 2 * CLOCK_DIFFERENCE
        try:
            return await self._store.compare_and_set(f"{nonce}:{count:x}", None, b"", kept_for)
        except StoreUnavailableError:
            self._away_until = self._clock() + AWAY_FOR
            return False
