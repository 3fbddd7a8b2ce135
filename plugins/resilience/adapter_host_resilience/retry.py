"""Calls that are made again after they failed."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from adapter_host import Arguments, ConsumedCall, Result

from .config import Retry
from .deadline import end_of_call
from .failure import is_passing, retry_after

_LOG: Final = logging.getLogger("adapter_host.resilience")

SAFE_TO_REPEAT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""The methods that do the same when they are sent twice (RFC 9110, 9.2.2)."""


class Retrying:
    """Makes the calls of one operation again, as long as there is time: until the deadline, or for `budget` seconds.

    Nothing is made again while the API `is_left_alone`.
    """

    def __init__(self, policy: Retry, name: str, budget: float, is_left_alone: Callable[[], bool]) -> None:
        self._policy = policy
        self._name = name
        self._budget = budget
        self._is_left_alone = is_left_alone
        self._backoff = wait_random_exponential(multiplier=policy.backoff, max=policy.max_backoff)

    def around(self, call: ConsumedCall) -> ConsumedCall:
        """The call, made again when it fails in passing."""

        async def repeated(arguments: Arguments, *, stream: bool = False) -> Result:
            begin = asyncio.get_running_loop().time()
            try:
                # The retrying is made for calls that fail alone: the others pay nothing.
                return await call(arguments, stream=stream)
            except Exception as error:
                if not self._again(error):
                    raise
                failed: list[Exception] = [error]

            async def attempt() -> Result:
                if failed:
                    raise failed.pop()
                return await call(arguments, stream=stream)

            return await self._retrying(begin)(attempt)

        return repeated

    def _again(self, error: BaseException) -> bool:
        return is_passing(error) and not self._is_left_alone()

    def _retrying(self, begin: float) -> AsyncRetrying:
        deadline = end_of_call()
        end = begin + self._budget if deadline is None else deadline
        too_many = stop_after_attempt(self._policy.attempts)
        return AsyncRetrying(
            sleep=asyncio.sleep,
            retry=retry_if_exception(self._again),
            wait=self._pause,
            stop=lambda state: too_many(state) or self._is_too_long(state.upcoming_sleep, end),
            before_sleep=self._note,
            reraise=True,
        )

    def _pause(self, state: RetryCallState) -> float:
        asked = retry_after(_error(state))
        # Not all at the very moment that the API named.
        return self._backoff(state) if asked is None else asked + random.uniform(0, self._policy.backoff)

    def _is_too_long(self, pause: float, end: float) -> bool:
        longest = self._policy.max_backoff + self._policy.backoff
        return pause > longest or asyncio.get_running_loop().time() + pause >= end

    def _note(self, state: RetryCallState) -> None:
        made, pause = state.attempt_number, state.upcoming_sleep
        _LOG.info("'%s' failed (%s); call %d follows in %.2f s", self._name, _error(state), made + 1, pause)


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
