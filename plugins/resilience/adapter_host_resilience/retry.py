"""Retries of failed calls."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from adapter_host import SEND_BUDGET, Arguments, ConsumedCall, Result, SendBudget

from .config import RetryPolicy
from .deadline import current_deadline
from .failure import is_transient, retry_after

_LOG: Final = logging.getLogger("adapter_host.resilience")

SAFE_TO_REPEAT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Idempotent methods (RFC 9110, 9.2.2)."""


class Retrier:
    """Retries the calls of one operation until the deadline, or for `budget` seconds without one.

    There are no retries while the circuit is open. A request that the consumer sends again, because its connection was
    stale, counts as an attempt.
    """

    def __init__(self, policy: RetryPolicy, name: str, budget: float, is_circuit_open: Callable[[], bool]) -> None:
        self._policy = policy
        self._name = name
        self._budget = budget
        self._is_circuit_open = is_circuit_open
        self._backoff = wait_random_exponential(multiplier=policy.backoff, max=policy.max_backoff)

    def wrap(self, call: ConsumedCall) -> ConsumedCall:
        """Wrap a call to retry transient errors."""

        async def retrying(arguments: Arguments, *, stream: bool = False) -> Result:
            started = asyncio.get_running_loop().time()
            sends = SendBudget(self._policy.attempts - 1)
            token = SEND_BUDGET.set(sends)
            try:
                # tenacity is only set up after a failure, so that successful calls cost nothing.
                return await call(arguments, stream=stream)
            except Exception as error:
                if not self._should_retry(error):
                    raise
                first_error: list[Exception] = [error]

                async def attempt() -> Result:
                    if first_error:
                        raise first_error.pop()
                    sends.spend()
                    return await call(arguments, stream=stream)

                return await self._async_retrying(started, sends)(attempt)
            finally:
                SEND_BUDGET.reset(token)

        return retrying

    def _should_retry(self, error: BaseException) -> bool:
        return is_transient(error) and not self._is_circuit_open()

    def _async_retrying(self, started: float, sends: SendBudget) -> AsyncRetrying:
        deadline = current_deadline()
        end = started + self._budget if deadline is None else deadline
        return AsyncRetrying(
            sleep=asyncio.sleep,
            retry=retry_if_exception(self._should_retry),
            wait=self._wait,
            stop=lambda state: not sends.left or self._exceeds_limits(state.upcoming_sleep, end),
            before_sleep=self._log_retry,
            reraise=True,
        )

    def _wait(self, state: RetryCallState) -> float:
        requested = retry_after(_error(state))
        # Jitter, so that callers do not all retry at the same moment.
        return self._backoff(state) if requested is None else requested + random.uniform(0, self._policy.backoff)

    def _exceeds_limits(self, pause: float, end: float) -> bool:
        max_pause = self._policy.max_backoff + self._policy.backoff
        return pause > max_pause or asyncio.get_running_loop().time() + pause >= end

    def _log_retry(self, state: RetryCallState) -> None:
        made, pause = state.attempt_number, state.upcoming_sleep
        _LOG.info("'%s' failed (%s); attempt %d in %.2f s", self._name, _error(state), made + 1, pause)


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
