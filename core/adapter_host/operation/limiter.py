"""Count and limit the calls in flight, and wait for them when draining."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from adapter_host.document.messages import count_noun
from adapter_host.errors import OperationError, UnavailableError, UpstreamError

from .operation import Arguments, Call
from .result import Result


class InFlightCounter:
    """Counts calls in flight."""

    __slots__ = ("_empty", "calls")

    def __init__(self) -> None:
        self.calls = 0
        self._empty: asyncio.Event | None = None

    def enter(self) -> None:
        """Increment the count."""
        self.calls += 1

    def leave(self) -> None:
        """Decrement the count."""
        self.calls -= 1
        if not self.calls and self._empty is not None:
            self._empty.set()
            self._empty = None

    async def idle(self) -> None:
        """Wait until no call is in flight."""
        if self.calls:
            self._empty = self._empty or asyncio.Event()
            await self._empty.wait()


class CallLimiter(InFlightCounter):
    """Counts and limits the calls in flight of one exposer; once closed, it rejects new calls."""

    __slots__ = ("_closed", "_limit", "cuts_off")

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit
        self._closed = False
        self.cuts_off = False

    def enter(self) -> None:
        """Increment the count; raise `UnavailableError` when closed or at the limit."""
        if self._closed:
            raise UnavailableError("the server is shutting down")
        if self.calls >= self._limit:
            raise UnavailableError(f"concurrency limit reached ({count_noun(self._limit, 'call')})")
        self.calls += 1

    def open(self) -> None:
        """Accept calls."""
        self._closed = self.cuts_off = False

    def close(self) -> None:
        """Reject new calls."""
        self._closed = True

    def cut_off(self) -> None:
        """Report from now on that the host, and not the API, has closed the connections of calls in flight."""
        self.cuts_off = True


def _cut_off_error(error: UpstreamError) -> OperationError:
    """Return the error of a call whose connection the host has closed; only one that was not sent may be repeated."""
    text = "the call took longer than the host waits when it stops or reloads, so its connection was closed"
    if error.sent is False:
        unavailable = UnavailableError(f"{text}; the request was not sent")
        return unavailable if error.step is None else unavailable.in_step(error.step)
    failed = UpstreamError(text, sent=error.sent)
    return failed if error.step is None else failed.in_step(error.step)


def limit_calls(call: Call, check: Callable[[Arguments], Arguments], limiter: CallLimiter) -> Call:
    """Check arguments and the limit before `call`; a stream counts as in flight until it ends."""

    async def enter_and_call(arguments: Arguments) -> Result:
        checked = check(arguments)
        limiter.enter()
        try:
            result = await call(checked)
        except BaseException as error:
            limiter.leave()
            if limiter.cuts_off and isinstance(error, UpstreamError) and not error.has_response:
                raise _cut_off_error(error) from error
            raise
        if result.stream is None:
            limiter.leave()
        else:
            result.on_end(lambda _: limiter.leave())
        return result

    return enter_and_call
