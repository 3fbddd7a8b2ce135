"""Rate and concurrency limits with a bounded queue."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from math import ceil
from typing import Protocol

from aiolimiter import AsyncLimiter

from adapter_host import Result, UnavailableError

from .config import LimitPolicy, RatePolicy

PreparedCall = Callable[[], Awaitable[Result]]
"""A call with its arguments bound."""


class RunsCalls(Protocol):
    """Makes a call as soon as a limit allows; raises `UnavailableError`."""

    async def run(self, call: PreparedCall) -> Result: ...


class Limiter(ABC):
    """Limits calls; the queue is bounded in length and time."""

    def __init__(self, policy: LimitPolicy, name: str) -> None:
        self._policy = policy
        self._name = name
        self._waiting = 0

    @abstractmethod
    async def run(self, call: PreparedCall) -> Result:
        """Make the call as soon as the limit allows; raises `UnavailableError`."""

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
    """Limits calls per time; all of them may come in one burst."""

    def __init__(self, policy: RatePolicy, name: str) -> None:
        super().__init__(policy, name)
        self._limiter = AsyncLimiter(policy.calls, policy.per)
        # The limiter would let new calls overtake queued ones.
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
        return rate_exceeded(f"'{self._name}'", self._per / self._policy.calls)


class ConcurrencyLimiter(Limiter):
    """Limits concurrent calls; a stream counts until it ends or is closed."""

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
            result.on_end(lambda _: self._slots.release())
        return result

    def _has_capacity(self) -> bool:
        return not self._slots.locked()

    async def _acquire(self) -> None:
        await self._slots.acquire()

    def _rejection(self) -> UnavailableError:
        return concurrency_exceeded(self._name, self._policy.calls)


def concurrency_exceeded(name: str, calls: int) -> UnavailableError:
    """Return the error of a call that exceeds a limit of concurrent calls."""
    return UnavailableError(f"concurrency limit of '{name}' reached ({calls}); retry in 1 s", retry_after=1)


def rate_exceeded(subject: str, seconds: float) -> UnavailableError:
    """Return the error of a call that exceeds the rate limit of a subject; the next one is allowed in `seconds`."""
    retry_after = max(1, ceil(seconds))
    return UnavailableError(f"rate limit of {subject} exceeded; retry in {retry_after} s", retry_after=retry_after)
