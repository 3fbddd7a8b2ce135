"""Run what is requested again and again only after a pause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A scheduled call."""

    def cancel(self) -> None:
        """Prevent the call."""


class Debouncer:
    """Runs the last action of each key after `delay` seconds without another one of that key.

    `call_later` schedules a call, as that of an event loop does.
    """

    def __init__(self, delay: float, call_later: Callable[[float, Callable[[], object]], Timer]) -> None:
        self._delay = delay
        self._call_later = call_later
        self._timers: dict[str, Timer] = {}

    def schedule(self, key: str, action: Callable[[], object]) -> None:
        """Run an action after the pause, in the place of the one that waits."""
        self.cancel(key)

        def run() -> None:
            del self._timers[key]
            action()

        self._timers[key] = self._call_later(self._delay, run)

    def cancel(self, key: str) -> None:
        """Forget the action that waits, if any."""
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
