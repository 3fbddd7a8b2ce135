"""Circuit breaker: calls fail at once while the server is away, and one probe at a time finds it back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from adapter_host import StoreUnavailableError

FAILURES: Final = 3
OPEN_FOR: Final = 1.0

_LOG: Final = logging.getLogger("adapter_host.redis")


class Breaker:
    """Opens after three failures in a row; then one call in each second is let through as a probe."""

    def __init__(self, server: str, clock: Callable[[], float]) -> None:
        self._server = server
        self._clock = clock
        self._failures = 0
        self._next_probe: float | None = None

    def check(self) -> None:
        """Raise `StoreUnavailableError` if the circuit is open; otherwise the call may be made."""
        if self._next_probe is None:
            return
        remaining = self._next_probe - self._clock()
        if remaining > 0:
            raise unavailable(remaining)
        # The next calls wait for the result of this one, or for another second.
        self._next_probe = self._clock() + OPEN_FOR

    def succeeded(self) -> None:
        """Close the circuit."""
        self._failures = 0
        if self._next_probe is not None:
            self._next_probe = None
            _LOG.warning("state store at %s is available again", self._server)

    def failed(self, error: BaseException) -> None:
        """Count a failure, and open the circuit at the third one."""
        self._failures += 1
        if self._failures >= FAILURES:
            if self._next_probe is None:
                # The text of an error may quote what was sent.
                _LOG.warning("state store at %s is unavailable (%s)", self._server, type(error).__name__)
            self._next_probe = self._clock() + OPEN_FOR


def unavailable(retry_after: float = OPEN_FOR) -> StoreUnavailableError:
    """Return the error of a call; its message is for clients, so it does not name the server."""
    return StoreUnavailableError("the state store is unavailable; try again later", retry_after=retry_after)
