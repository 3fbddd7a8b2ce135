"""The time that a call may take, with all that it waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Final

from adapter_host import Result, UpstreamTimeoutError

_END: Final[ContextVar[float | None]] = ContextVar("adapter_host_resilience_deadline", default=None)


def end_of_call() -> float | None:
    """When the call in progress has to end, in the event loop's time; None when nobody said."""
    return _END.get()


def is_over() -> bool:
    """Whether the call in progress has no time left."""
    end = _END.get()
    return end is not None and asyncio.get_running_loop().time() >= end


async def within(seconds: float, name: str, call: Callable[[], Awaitable[Result]]) -> Result:
    """Call, and cut it off after that time or at the end that was set before, whichever comes first.

    Raises `UpstreamTimeoutError`. What is streamed is not cut off.
    """
    own = asyncio.get_running_loop().time() + seconds
    before = _END.get()
    if before is not None and before <= own:
        return await call()
    token = _END.set(own)
    try:
        async with asyncio.timeout_at(own) as timeout:
            return await call()
    except TimeoutError as error:
        if not timeout.expired():
            raise
        raise UpstreamTimeoutError(f"'{name}' did not end within {seconds:g} s") from error
    finally:
        _END.reset(token)
