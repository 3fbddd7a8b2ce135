"""Circuit breaker: opens after consecutive failures, and lets one probe through when its time is over."""

from __future__ import annotations

import asyncio
import logging
from math import ceil
from typing import Final

from adapter_host import Arguments, ConsumedCall, Result, UnavailableError

from .config import BreakerPolicy
from .deadline import deadline_passed
from .failure import is_outage, is_outage_result

_LOG: Final = logging.getLogger("adapter_host.resilience")


class CircuitBreaker:
    """The circuit breaker of one API."""

    def __init__(self, policy: BreakerPolicy, namespace: str) -> None:
        self._policy = policy
        self._namespace = namespace
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    def check(self) -> None:
        """Raise `UnavailableError` if the circuit is open, or if its probe is in flight."""
        if self._opened_at is None:
            return
        remaining = self._remaining(self._opened_at)
        if remaining > 0 or self._probing:
            after = max(1, ceil(remaining))
            message = f"circuit breaker open for upstream '{self._namespace}'; retry in {after} s"
            raise UnavailableError(message, retry_after=after)

    @property
    def is_open(self) -> bool:
        """Return whether the circuit is open or half-open."""
        return self._opened_at is not None

    def describe(self) -> tuple[str, bool]:
        """Return the state for people, and whether it is healthy."""
        if self._opened_at is None:
            return "closed", True
        remaining = self._remaining(self._opened_at)
        return (f"open for {ceil(remaining)} s" if remaining > 0 else "half-open"), False

    def _remaining(self, opened_at: float) -> float:
        return opened_at + self._policy.open_for - asyncio.get_running_loop().time()

    def wrap(self, call: ConsumedCall) -> ConsumedCall:
        """Wrap a call; it is rejected while the circuit is open."""

        async def guarded(arguments: Arguments, *, stream: bool = False) -> Result:
            self.check()
            probe = self._probing = self.is_open
            try:
                result = await call(arguments, stream=stream)
            except asyncio.CancelledError:
                # A caller's cancellation is not a failure of the API, but an exceeded deadline is.
                self._record(failed=True if deadline_passed() else None, probe=probe)
                raise
            except Exception as error:
                self._record(failed=is_outage(error), probe=probe)
                raise
            self._record(failed=is_outage_result(result), probe=probe)
            return result

        return guarded

    def _record(self, *, failed: bool | None, probe: bool) -> None:
        if probe:
            self._probing = False
        elif self.is_open:
            # The call started before the circuit opened; only a probe can close it.
            return
        if failed:
            self._record_failure()
        elif failed is False:
            self._record_success()

    def _record_failure(self) -> None:
        self._failures += 1
        if self._failures >= self._policy.failures:
            self._opened_at = asyncio.get_running_loop().time()
            _LOG.warning("circuit breaker opened for upstream '%s' for %g s", self._namespace, self._policy.open_for)

    def _record_success(self) -> None:
        self._failures = 0
        if self.is_open:
            self._opened_at = None
            _LOG.warning("circuit breaker closed for upstream '%s'", self._namespace)
