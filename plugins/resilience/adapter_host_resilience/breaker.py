"""The circuit breaker of one API: after failures in a row it is left alone for a while, then tried by one call."""

from __future__ import annotations

import asyncio
import logging
from math import ceil
from typing import Final

from adapter_host import Arguments, ConsumedCall, Result, UnavailableError

from .config import Breaker
from .deadline import is_over
from .failure import is_down, says_down

_LOG: Final = logging.getLogger("adapter_host.resilience")


class Circuit:
    """Whether an API is called, from what became of the calls before."""

    def __init__(self, policy: Breaker, namespace: str) -> None:
        self._policy = policy
        self._namespace = namespace
        self._failures = 0
        self._opened: float | None = None
        self._probing = False

    def check(self) -> None:
        """Raise `UnavailableError` while the API is left alone, or is being tried."""
        if self._opened is None:
            return
        left = self._opened + self._policy.open_for - asyncio.get_running_loop().time()
        if left > 0 or self._probing:
            after = max(1, ceil(left))
            message = f"the upstream '{self._namespace}' keeps failing and is left alone; try again in {after} s"
            raise UnavailableError(message, retry_after=after)

    @property
    def is_open(self) -> bool:
        """Whether the API is left alone, or was until now."""
        return self._opened is not None

    def around(self, call: ConsumedCall) -> ConsumedCall:
        """The call, if the API is called at all."""

        async def guarded(arguments: Arguments, *, stream: bool = False) -> Result:
            self.check()
            probe = self._probing = self.is_open
            try:
                result = await call(arguments, stream=stream)
            except asyncio.CancelledError:
                # Whoever gave up says nothing of the API, but a deadline does.
                self._settle(failed=True if is_over() else None, probe=probe)
                raise
            except Exception as error:
                self._settle(failed=is_down(error), probe=probe)
                raise
            self._settle(failed=says_down(result), probe=probe)
            return result

        return guarded

    def _settle(self, *, failed: bool | None, probe: bool) -> None:
        if probe:
            self._probing = False
        elif self.is_open:
            # It began before the API was left alone: only a probe closes the circuit.
            return
        if failed:
            self._fail()
        elif failed is False:
            self._recover()

    def _fail(self) -> None:
        self._failures += 1
        if self._failures >= self._policy.failures:
            self._opened = asyncio.get_running_loop().time()
            _LOG.warning("upstream '%s' keeps failing: left alone for %g s", self._namespace, self._policy.open_for)

    def _recover(self) -> None:
        self._failures = 0
        if self.is_open:
            self._opened = None
            _LOG.warning("upstream '%s' is called again", self._namespace)
