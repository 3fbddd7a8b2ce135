"""The calls in progress: counted, bounded, and waited for when draining."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from adapter_host.errors import UnavailableError

from .operation import Arguments, Call, Result
from .streams import TrackedStream


class InFlightCounter:
    """Counts what is in progress."""

    __slots__ = ("_empty", "calls")

    def __init__(self) -> None:
        self.calls = 0
        self._empty: asyncio.Event | None = None

    def enter(self) -> None:
        """Count one in."""
        self.calls += 1

    def leave(self) -> None:
        """Count one out."""
        self.calls -= 1
        if not self.calls and self._empty is not None:
            self._empty.set()
            self._empty = None

    async def idle(self) -> None:
        """Wait until nothing is in progress."""
        if self.calls:
            self._empty = self._empty or asyncio.Event()
            await self._empty.wait()


class CallLimiter(InFlightCounter):
    """Counts the calls in progress through one exposer, and bounds them; once closed it lets no new one in."""

    __slots__ = ("_closed", "_limit")

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit
        self._closed = False

    def enter(self) -> None:
        """Count one call in; raises `UnavailableError` when closed or full."""
        if self._closed:
            raise UnavailableError("draining: no new calls are taken")
        if self.calls >= self._limit:
            raise UnavailableError(f"too many calls at once (at most {self._limit})")
        self.calls += 1

    def open(self) -> None:
        """Take calls (again)."""
        self._closed = False

    def close(self) -> None:
        """Take no new calls."""
        self._closed = True


def limit_calls(call: Call, check: Callable[[Arguments], Arguments], limiter: CallLimiter) -> Call:
    """`call` behind a check of its arguments and a gate; a stream counts as in progress until it ends."""

    async def enter_and_call(arguments: Arguments) -> Result:
        checked = check(arguments)
        limiter.enter()
        try:
            result = await call(checked)
        except BaseException:
            limiter.leave()
            raise
        if result.stream is None:
            limiter.leave()
        else:
            result.stream = TrackedStream(result.stream, limiter.leave)
        return result

    return enter_and_call
