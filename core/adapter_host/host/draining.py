"""Drain exposers, whose errors must not affect others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Coroutine
from typing import Any

from adapter_host.compiler.plan import ExposerPlan

_log = logging.getLogger("adapter_host")


def exposer_label(exposer_plan: ExposerPlan) -> str:
    """Return the name of an exposer for messages."""
    config = exposer_plan.exposer.config
    return f"exposer '{config.namespace}' ({config.type})"


async def drain_exposer(exposer_plan: ExposerPlan) -> None:
    """Drain an exposer, and log an error."""
    try:
        # Third-party code: its error must not affect calls of other exposers.
        await exposer_plan.exposer.drain()
    except Exception:
        _log.exception("%s failed to drain", exposer_label(exposer_plan))


async def unfinished(tasks: Collection[asyncio.Task[None]], seconds: float | None) -> Collection[asyncio.Task[None]]:
    """Wait for tasks, and return those that are not done after some seconds, or after all are done."""
    return (await asyncio.wait(tasks, timeout=seconds))[1] if tasks else ()


class ReplacedGenerations:
    """The generations that a reload has replaced, while they drain and stop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, drain_and_stop: Coroutine[Any, Any, None]) -> None:
        """Run the end of a generation in the background."""
        task = asyncio.create_task(drain_and_stop)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def wait(self) -> None:
        """Wait until all of them have stopped."""
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        """Stop all of them now."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
