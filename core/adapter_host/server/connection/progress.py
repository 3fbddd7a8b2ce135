"""Progress of transfers: data must move at a minimum rate within a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from adapter_host.settings import Settings

from .log import SEND_TIMEOUT, ConnectionLog

_MIN_INTERVAL: Final = 0.02
_MAX_INTERVAL: Final = 1.0


def check_interval(settings: Settings) -> float:
    """Return the seconds between two checks, so that a time limit is exceeded by at most a fourth or a second."""
    timeouts = (settings.header_timeout, settings.body_timeout, settings.send_timeout, settings.keep_alive_timeout)
    shortest = min((timeout for timeout in timeouts if timeout), default=_MAX_INTERVAL)
    return min(_MAX_INTERVAL, max(_MIN_INTERVAL, shortest / 4))


class Progress:
    """The progress of one transfer in consecutive windows of `timeout` seconds; 0 never ends."""

    __slots__ = ("_count", "_required", "_since")

    def __init__(self) -> None:
        self._since = -1.0
        self._count = 0
        self._required = 0.0

    def pause(self) -> None:
        """Start a new window with the next check."""
        self._since = -1.0
        self._count = 0
        self._required = 0.0

    def is_stalled(self, now: float, count: int, *, timeout: float, required: float) -> bool:
        """Return True if a window ends in which the transfer moved fewer than `required` bytes.

        `count` is the number of bytes up to now; a lower count than before starts another transfer. `required` is that
        of the beginning of a window.
        """
        if self._since >= 0 and count >= self._count:
            if not timeout or now - self._since < timeout:
                return False
            if count - self._count < self._required:
                return True
        self._since, self._count, self._required = now, count, required
        return False


def is_send_stalled(progress: Progress, now: float, written: int, pending: int, settings: Settings) -> bool:
    """Return True if the client accepts too little of a response: `written` bytes, `pending` of which are not sent."""
    timeout = settings.send_timeout
    required = max(1.0, min(float(pending), settings.minimum_rate * timeout))
    return progress.is_stalled(now, written - pending, timeout=timeout, required=required)


class SendWatch:
    """Aborts the connections of clients that do not read, for requests that another server has accepted."""

    def __init__(self, settings: Settings, log: ConnectionLog) -> None:
        self._settings = settings
        self._log = log
        self._interval = check_interval(settings)
        self._requests: dict[int, web.BaseRequest] = {}
        self._progress: dict[int, Progress] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def handle(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Handle a request, and watch its response."""
        self._requests[id(request)] = request
        if self._timer is None:
            self._arm()
        try:
            return await handler(request)
        finally:
            del self._requests[id(request)]
            if self._progress:
                self._progress.pop(id(request), None)

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._check)

    def _check(self) -> None:
        self._timer = None
        self._log.flush()
        if not self._requests:
            return
        self._arm()
        now = asyncio.get_running_loop().time()
        for key, request in self._requests.items():
            transport = request.transport
            if transport is None:
                continue
            # Most responses end before the first check.
            progress = self._progress.setdefault(key, Progress())
            # aiohttp's types name only the abstract writer, which has no count.
            written: int = request.writer.output_size
            if not (pending := transport.get_write_buffer_size()):
                progress.pause()
            elif is_send_stalled(progress, now, written, pending, self._settings):
                self._log.report(SEND_TIMEOUT, request.remote or "")
                transport.abort()
