"""The time that a call may take, with all that it waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Final

from adapter_host import Result, UpstreamTimeoutError

_DEADLINE: Final[ContextVar[float | None]] = ContextVar("adapter_host_resilience_deadline", default=None)


def current_deadline() -> float | None:
    """When the call in progress has to end, in the event loop's time; None when nobody said."""
    return _DEADLINE.get()


def deadline_passed() -> bool:
    """Whether the call in progress has no time left."""
    deadline = _DEADLINE.get()
    return deadline is not None and asyncio.get_running_loop().time() >= deadline


async def call_within(seconds: float, name: str, call: Callable[[], Awaitable[Result]]) -> Result:
    """Call, and cut it off after that time or at the end that was set before, whichever comes first.

    Raises `UpstreamTimeoutError`. What is streamed is not cut off.
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
        raise UpstreamTimeoutError(f"'{name}' did not end within {seconds:g} s") from error
    finally:
        _DEADLINE.reset(token)
