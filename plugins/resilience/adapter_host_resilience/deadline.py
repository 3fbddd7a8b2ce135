"""Deadlines of calls, including queueing, backoff and retries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Final

from adapter_host import Result, UpstreamTimeoutError

_DEADLINE: Final[ContextVar[float | None]] = ContextVar("adapter_host_resilience_deadline", default=None)


def current_deadline() -> float | None:
    """Return the deadline of the current call in event loop time; None if there is none."""
    return _DEADLINE.get()


def deadline_passed() -> bool:
    """Return whether the current call has exceeded its deadline."""
    deadline = _DEADLINE.get()
    return deadline is not None and asyncio.get_running_loop().time() >= deadline


async def call_within(seconds: float, name: str, call: Callable[[], Awaitable[Result]]) -> Result:
    """Make a call with a deadline; an earlier deadline that is already set takes precedence.

    Raises `UpstreamTimeoutError`. Streams that have started are not cancelled.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    outer = _DEADLINE.get()
    if outer is not None and outer <= deadline:
        return await call()
    token = _DEADLINE.set(deadline)
    try:
        async with asyncio.timeout_at(deadline) as timeout:
            return await call()
    except TimeoutError as error:
        if not timeout.expired():
            raise
        raise UpstreamTimeoutError(f"'{name}' exceeded its deadline of {seconds:g} s") from error
    finally:
        _DEADLINE.reset(token)
