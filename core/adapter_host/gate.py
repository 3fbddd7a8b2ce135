"""The calls in progress: counted, bounded, and waited for when draining."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from .errors import UnavailableError
from .operation import Arguments, Call, Result


class Gate:
    """Counts the calls in progress through one exposer; it bounds them, and once closed it lets no new one in."""

    __slots__ = ("_closed", "_idle", "_limit", "calls")

    def __init__(self, limit: int) -> None:
        self.calls = 0
        self._limit = limit
        self._closed = False
        self._idle = asyncio.Event()

    def enter(self) -> None:
        """Count one call in; raises `UnavailableError` when closed or full."""
        if self._closed:
            raise UnavailableError("draining: no new calls are taken")
        if self.calls >= self._limit:
            raise UnavailableError(f"too many calls at once (at most {self._limit})")
        self.calls += 1

    def leave(self) -> None:
        """Count one call out."""
        self.calls -= 1
        if self._closed and not self.calls:
            self._idle.set()

    def open(self) -> None:
        """Take calls (again)."""
        self._closed = False
        self._idle.clear()

    def close(self) -> None:
        """Take no new calls."""
        self._closed = True
        if not self.calls:
            self._idle.set()

    async def idle(self) -> None:
        """Wait until the last call in progress has ended; the gate must be closed."""
        await self._idle.wait()


def guarded(call: Call, check: Callable[[Arguments], Arguments], gate: Gate) -> Call:
    async def enter_and_call(arguments: Arguments) -> Result:
        checked = check(arguments)
        gate.enter()
        try:
            result = await call(checked)
        except BaseException:
            gate.leave()
            raise
        if result.stream is None:
            gate.leave()
        else:
            result.stream = _HeldStream(result.stream, gate)
        return result

    return enter_and_call


class _HeldStream(AsyncIterator[bytes]):
    """A stream that counts as a call in progress until it ends or is closed."""

    def __init__(self, stream: AsyncIterator[bytes], gate: Gate) -> None:
        self._stream = stream
        self._gate: Gate | None = gate

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._stream)
        except BaseException:
            self._leave()
            raise

    async def aclose(self) -> None:
        """Close the upstream answer too."""
        self._leave()
        close = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()

    def _leave(self) -> None:
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.leave()
