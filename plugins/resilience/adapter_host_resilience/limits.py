"""Limits of what is called: how often, and how much at once. A bounded number of calls waits for its turn."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from math import ceil

from aiolimiter import AsyncLimiter

from adapter_host import Result, TrackedStream, UnavailableError

from .config import LimitPolicy, RatePolicy

PreparedCall = Callable[[], Awaitable[Result]]
"""A call that only has to be made."""


class Limiter(ABC):
    """Gives calls their turn; those that have to wait are bounded in number and time."""

    def __init__(self, policy: LimitPolicy, name: str) -> None:
        self._policy = policy
        self._name = name
        self._waiting = 0

    @abstractmethod
    async def run(self, call: PreparedCall) -> Result:
        """Call when it is its turn; raises `UnavailableError` when that does not come in time."""

    @abstractmethod
    def _has_capacity(self) -> bool: ...

    @abstractmethod
    async def _acquire(self) -> object: ...

    @abstractmethod
    def _rejection(self) -> UnavailableError: ...

    async def _wait_for_capacity(self) -> None:
        if self._has_capacity() and not self._waiting:
            await self._acquire()
            return
        if self._waiting >= self._policy.queue:
            raise self._rejection()
        self._waiting += 1
        try:
            async with asyncio.timeout(self._policy.wait):
                await self._acquire()
        except TimeoutError:
            raise self._rejection() from None
        finally:
            self._waiting -= 1


class RateLimiter(Limiter):
    """So many calls in a time; a burst of all of them may come at once."""

    def __init__(self, policy: RatePolicy, name: str) -> None:
        super().__init__(policy, name)
        self._limiter = AsyncLimiter(policy.calls, policy.per)
        # The limiter itself lets a newcomer go before those that wait.
        self._queue_lock = asyncio.Lock()
        self._per = policy.per

    async def run(self, call: PreparedCall) -> Result:
        await self._wait_for_capacity()
        return await call()

    def _has_capacity(self) -> bool:
        return self._limiter.has_capacity()

    async def _acquire(self) -> None:
        async with self._queue_lock:
            await self._limiter.acquire()

    def _rejection(self) -> UnavailableError:
        retry_after = max(1, ceil(self._per / self._policy.calls))
        message = f"'{self._name}' is called too often; try again in {retry_after} s"
        return UnavailableError(message, retry_after=retry_after)


class ConcurrencyLimiter(Limiter):
    """So many calls at once; a stream counts until it ends or is closed."""

    def __init__(self, policy: LimitPolicy, name: str) -> None:
        super().__init__(policy, name)
        self._slots = asyncio.Semaphore(policy.calls)

    async def run(self, call: PreparedCall) -> Result:
        await self._wait_for_capacity()
        try:
            result = await call()
        except BaseException:
            self._slots.release()
            raise
        if result.stream is None:
            self._slots.release()
        else:
            result.stream = TrackedStream(result.stream, self._slots.release)
        return result

    def _has_capacity(self) -> bool:
        return not self._slots.locked()

    async def _acquire(self) -> None:
        await self._slots.acquire()

    def _rejection(self) -> UnavailableError:
        message = f"too many calls of '{self._name}' at once (at most {self._policy.calls}); try again in 1 s"
        return UnavailableError(message, retry_after=1)
