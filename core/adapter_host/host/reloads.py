"""Reloads: their order, and what the process of a host adds to them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from adapter_host.daemon_threads import DaemonThreads
from adapter_host.errors import AdapterHostError, Problem, ProblemsError, StartError
from adapter_host.settings import Settings

from .status import ExposerStatus

_log = logging.getLogger("adapter_host")


class Reloader:
    """Controls reloads for the process of a host; override methods as needed.

    By default a reload affects only this host and keeps its settings.
    """

    async def reload(self, reload_here: Callable[[], Awaitable[None]]) -> None:
        """Reload the same documents; `reload_here` reloads this host. Raise `ProblemsError` or `StartError`."""
        await reload_here()

    def next_settings(self, current: Settings) -> Settings:
        """Return the settings of the next generation."""
        return current

    def reloaded(self, statuses: Sequence[ExposerStatus]) -> None:
        """Report what is served after a reload."""


class ReloadQueue:
    """Runs reloads one after another; a reload continues if the task that awaits it is cancelled.

    `builds` and `checks` are the threads that compile documents, for reloads and for nothing else.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self.builds, self.checks = DaemonThreads(1), DaemonThreads(1)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, reload: Callable[[], Awaitable[None]]) -> None:
        """Run a reload and raise its errors, or `StartError` if `cancel` cancels it."""

        async def run_in_turn() -> None:
            async with self._lock:
                await reload()

        task = asyncio.create_task(run_in_turn())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise StartError("reload cancelled; the host is stopping") from None
            task.add_done_callback(_log_failure)
            raise

    async def cancel(self) -> None:
        """Cancel all reloads; the old generation continues."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log_failed_reload(error)


def log_failed_reload(error: BaseException) -> None:
    """Log why a reload failed: a line for each problem; with the traceback, if a plugin has raised another error."""
    for reason in error.problems if isinstance(error, ProblemsError) else (error,):
        details = None if isinstance(error, AdapterHostError) else error
        _log.error("reload failed; still serving the previous version: %s", _describe(reason), exc_info=details)


def _describe(reason: BaseException | Problem) -> str:
    if isinstance(reason, Problem | AdapterHostError):
        return str(reason)
    places = "".join(f" ({note})" for note in getattr(reason, "__notes__", ()))
    return f"{type(reason).__name__}: {reason}{places}"
