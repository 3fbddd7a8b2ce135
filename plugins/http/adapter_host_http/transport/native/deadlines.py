"""Many deadlines with one timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

Expire = Callable[[], None]


class Deadlines:
    """Calls back at deadlines. Equal timeouts expire in the order they began, so only the first needs a timer."""

    __slots__ = ("_latest", "_loop", "_out_of_order", "_timer", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: dict[object, tuple[float, Expire]] = {}
        self._out_of_order: dict[object, asyncio.TimerHandle] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._latest = 0.0

    def add(self, key: object, when: float, expire: Expire) -> None:
        """Call `expire` at a time of the event loop's clock, unless `key` is discarded before."""
        if when < self._latest:
            # Out of order: its call waited for something else before.
            self._out_of_order[key] = self._loop.call_at(when, self._expire, key, expire)
            return
        self._latest = when
        self._waiting[key] = when, expire
        if self._timer is None:
            self._timer = self._loop.call_at(when, self._run)

    def discard(self, key: object) -> None:
        """Remove a deadline, if it exists."""
        if self._waiting.pop(key, None) is None and (timer := self._out_of_order.pop(key, None)) is not None:
            timer.cancel()

    def close(self) -> None:
        """Remove all deadlines."""
        for timer in (self._timer, *self._out_of_order.values()):
            if timer is not None:
                timer.cancel()
        self._timer = None
        self._out_of_order.clear()
        self._waiting.clear()

    def _expire(self, key: object, expire: Expire) -> None:
        self._out_of_order.pop(key, None)
        expire()

    def _run(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._waiting:
            key = next(iter(self._waiting))
            when, expire = self._waiting[key]
            if when > now:
                self._timer = self._loop.call_at(when, self._run)
                return
            del self._waiting[key]
            expire()
