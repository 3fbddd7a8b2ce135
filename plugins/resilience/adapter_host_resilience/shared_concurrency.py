"""Concurrency limits of all replicas: each call holds a lease in the state store, which ends if its replica dies."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from hashlib import sha256
from secrets import token_hex
from typing import Final

from adapter_host import BuildContext, Result, StoreUnavailableError, encode_json

from .config import LimitPolicy
from .limits import PreparedCall, concurrency_exceeded
from .shared_rate import STATE, Replicas

LEASE_TIME: Final = 10.0
"""The seconds after which the leases of a dead replica end."""

RENEWAL: Final = 3.0
"""The seconds after which leases of calls in flight are renewed."""

_POLL: Final = 0.1


class SharedConcurrencyLimiter:
    """Limits the concurrent calls of all replicas; a stream counts until it ends or is closed.

    While the store is unavailable, this replica allows its share of the limit, or no call.
    """

    def __init__(self, policy: LimitPolicy, name: str, context: BuildContext) -> None:
        self._policy = policy
        self._name = name
        place = (context.loaded.capability.label, context.namespace, name)
        self._key = sha256(encode_json(place)).hexdigest()
        self._store = context.state.namespaced(STATE)
        self._replicas = context.shared_state(f"{STATE}.replicas", lambda: Replicas(self._store))
        self._waiting = 0
        self._queue = asyncio.Lock()
        self._held: set[str] = set()
        self._renewing: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def run(self, call: PreparedCall) -> Result:
        """Make the call as soon as the limit allows; raise `UnavailableError`."""
        holder = token_hex(16)
        if self._waiting or not await self._take(holder):
            await self._wait(holder)
        try:
            result = await call()
        except BaseException:
            await self._release(holder)
            raise
        if result.stream is None:
            await self._release(holder)
        else:

            def end(_: BaseException | None) -> None:
                self._release(holder)

            result.on_end(end)
        return result

    async def _wait(self, holder: str) -> None:
        """Wait for a lease; only the first call in the queue asks the store."""
        if self._waiting >= self._policy.queue or not self._policy.wait:
            raise concurrency_exceeded(self._name, self._policy.calls)
        loop = asyncio.get_running_loop()
        end = loop.time() + self._policy.wait
        self._waiting += 1
        try:
            async with asyncio.timeout_at(end):
                await self._queue.acquire()
            try:
                # Not within a timeout: a call of the store ends on its own, and must not be cut off for nothing.
                while not await self._take(holder):
                    remaining = end - loop.time()
                    if remaining <= 0:
                        raise TimeoutError
                    await asyncio.sleep(min(random.uniform(_POLL / 2, _POLL), remaining))
            finally:
                self._queue.release()
        except TimeoutError:
            raise concurrency_exceeded(self._name, self._policy.calls) from None
        finally:
            self._waiting -= 1

    async def _take(self, holder: str) -> bool:
        try:
            is_held = await self._lease(holder)
            if not is_held and self._ending:
                # The calls of this replica that have ended do not count.
                await asyncio.wait(tuple(self._ending))
                is_held = await self._lease(holder)
        except asyncio.CancelledError:
            # The store may have given the lease meanwhile.
            self._end(holder)
            raise
        if is_held:
            self._held.add(holder)
            if self._renewing is None:
                self._renewing = asyncio.create_task(self._renew())
        return is_held

    async def _lease(self, holder: str) -> bool:
        try:
            await self._replicas.refresh()
            return await self._store.lease(self._key, holder, self._policy.calls, LEASE_TIME)
        except StoreUnavailableError:
            if self._policy.when_unavailable == "refuse":
                raise
            return len(self._held) < max(1, self._policy.calls // self._replicas.count)

    def _release(self, holder: str) -> asyncio.Future[None]:
        """End the lease of a call, even if the wait for it is cancelled."""
        self._held.discard(holder)
        if not self._held and self._renewing is not None:
            self._renewing.cancel()
            self._renewing = None
        return asyncio.shield(self._end(holder))

    def _end(self, holder: str) -> asyncio.Task[None]:
        task = asyncio.create_task(self._end_lease(holder))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    async def _end_lease(self, holder: str) -> None:
        # The lease ends on its own.
        with suppress(StoreUnavailableError):
            await self._store.end_lease(self._key, holder)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEWAL)
            for holder in tuple(self._held):
                with suppress(StoreUnavailableError):
                    if holder in self._held:
                        await self._store.lease(self._key, holder, self._policy.calls, LEASE_TIME)
