"""Rate limits that are counted in the state store, for all replicas, and optionally for each caller."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from adapter_host import (
    BuildContext,
    MemoryStateStore,
    RateDecision,
    Result,
    StateStore,
    StoreUnavailableError,
    UnavailableError,
    current_call,
    encode_json,
)

from .config import RatePolicy
from .limits import PreparedCall, rate_exceeded

STATE: Final = "resilience"
"""The namespace of the plugin in the state store, and the beginning of its names in the shared state of a host."""

PERIOD: Final = 10.0
"""The seconds in each of which a replica counts itself once."""

_REFRESH: Final = 1.0


class Replicas:
    """Counts the replicas that have made calls lately: each adds itself to the counter of the current 10 seconds.

    `clock` is the time that replicas share; it may differ by seconds between them.
    """

    def __init__(self, store: StateStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self.clock = clock
        self._period = -1
        self._refreshed = float("-inf")
        self.count = 1

    async def refresh(self) -> None:
        """Count this replica, and read the number of all, at most once per second."""
        now = self.clock()
        if abs(now - self._refreshed) < _REFRESH:
            return
        # Set first, so that concurrent calls do not refresh, too.
        self._refreshed = now
        period = int(now // PERIOD)
        if period != self._period:
            await self._store.increment(_replicas_key(period), expires_in=3 * PERIOD)
            self._period = period
        counts = [await self._store.get(_replicas_key(each)) for each in (period - 1, period)]
        self.count = max(1, *(int(count or 0) for count in counts))


def _replicas_key(period: int) -> str:
    return f"replicas:{period}"


class SharedRateLimiter:
    """Limits calls per time in the state store; with `by: caller`, those of each caller.

    While the store is unavailable, this replica allows its share of the limit, or no call.
    """

    def __init__(self, policy: RatePolicy, name: str, context: BuildContext) -> None:
        self._policy = policy
        self._name = name
        self._place = (context.loaded.capability.label, context.namespace, name, policy.calls, policy.per)
        self._store = context.state.namespaced(STATE)
        self._replicas = context.shared_state(f"{STATE}.replicas", lambda: Replicas(self._store))
        self._local = context.shared_state(f"{STATE}.rates", MemoryStateStore)
        self._waiting: Counter[str] = Counter()

    async def run(self, call: PreparedCall) -> Result:
        """Make the call as soon as the limit allows; raise `UnavailableError`."""
        key = self._key()
        decision = await self._decide(key)
        if not decision.allowed:
            await self._wait(key, decision)
        return await call()

    def _key(self) -> str:
        caller = ""
        if self._policy.by == "caller":
            context = current_call()
            # An address and an identity must never be equal.
            caller = f"i{context.principal.identity}" if context.principal else f"a{context.client_address or ''}"
        # The store must not learn who the callers are.
        return sha256(encode_json([*self._place, caller])).hexdigest()

    async def _wait(self, key: str, decision: RateDecision) -> None:
        """Wait until a call is allowed; a caller's calls in the queue take no place of other callers."""
        if self._waiting[key] >= self._policy.queue:
            raise self._rejection(decision)
        loop = asyncio.get_running_loop()
        end = loop.time() + self._policy.wait
        self._waiting[key] += 1
        try:
            while not decision.allowed:
                if loop.time() + decision.retry_after > end:
                    raise self._rejection(decision)
                await asyncio.sleep(decision.retry_after)
                decision = await self._decide(key)
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._waiting[key]

    async def _decide(self, key: str) -> RateDecision:
        if self._policy.when_unavailable == "refuse":
            return await self._decide_together(key)
        calls, per, replicas = self._policy.calls, self._policy.per, self._replicas.count
        # Counted all the time, so that an outage of the store does not begin with another burst.
        local = await self._local.gcra(key, calls, per * replicas, max(1, calls // replicas))
        try:
            return await self._decide_together(key)
        except StoreUnavailableError:
            return local

    async def _decide_together(self, key: str) -> RateDecision:
        await self._replicas.refresh()
        return await self._store.gcra(key, self._policy.calls, self._policy.per)

    def _rejection(self, decision: RateDecision) -> UnavailableError:
        each = " for each caller" if self._policy.by == "caller" else ""
        return rate_exceeded(f"'{self._name}'{each}", decision.retry_after)
