"""Reloads: what the process that runs a host adds to them, and their order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from adapter_host.errors import StartError
from adapter_host.settings import Settings

from .status import ExposerStatus

_log = logging.getLogger("adapter_host")


class Reloader:
    """What the process that runs a host does around a reload; override what it does differently.

    By default a reload concerns the host alone and keeps its settings.
    """

    async def reload(self, reload_here: Callable[[], Awaitable[None]]) -> None:
        """Reload the same documents, in this host by `reload_here`; raise `ProblemsError` and `StartError`."""
        await reload_here()

    def next_settings(self, current: Settings) -> Settings:
        """Return the settings of the next generation."""
        return current

    def reloaded(self, statuses: Sequence[ExposerStatus]) -> None:
        """Report what is served after a reload."""


class ReloadQueue:
    """Runs reloads in turn; one goes on when whoever waits for it is cancelled."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, reload: Callable[[], Awaitable[None]]) -> None:
        """Run one in its turn; raises what it raises, and `StartError` when it is ended."""

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
                raise StartError("the host stops, so nothing is reloaded") from None
            task.add_done_callback(_log_failure)
            raise

    async def cancel(self) -> None:
        """End those in progress; what they were to replace stays."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("not reloaded, what was served goes on:\n%s", error)
