"""Revalidation in the background of responses that are used while they are stale (RFC 5861, section 3)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from adapter_host import CallScope, StoreUnavailableError, UpstreamError, current_call
from adapter_host_http.transport.base import TransportError

from .storage import CacheStorage

_LOG: Final = logging.getLogger("adapter_host.http")

MAX_REVALIDATIONS: Final = 16
"""The revalidations of an API that a process has in flight; a further one is left to the next call."""

PAUSE: Final = 5.0
"""Seconds after a failed one in which no replica begins another one of the same response."""


class RevalidationError(Exception):
    """The API responded with an error of a server."""


class Revalidations:
    """The revalidations of one consumer: of all replicas, one sends a request for a response at a time."""

    def __init__(self, namespace: str, storage: CacheStorage) -> None:
        self._namespace = namespace
        self._storage = storage
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failing = False

    def start(self, key: str, revalidate: Callable[[], Awaitable[None]]) -> None:
        """Call `revalidate` in the background, unless one for the key is in progress or too many are."""
        if key in self._tasks or len(self._tasks) >= MAX_REVALIDATIONS:
            return
        self._tasks[key] = task = asyncio.create_task(self._run(key, revalidate))
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def close(self) -> None:
        """Cancel all."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, key: str, revalidate: Callable[[], Awaitable[None]]) -> None:
        # The request of the call may have ended, and its response may be for its caller only.
        call = current_call()
        with CallScope(lambda: call):
            try:
                async with self._storage.hold_revalidation(key) as is_free:
                    if is_free and not await self._succeeds(revalidate):
                        await asyncio.sleep(PAUSE)
            except StoreUnavailableError:
                _LOG.debug("upstream '%s': the state store is away; a response is not revalidated", self._namespace)

    async def _succeeds(self, revalidate: Callable[[], Awaitable[None]]) -> bool:
        try:
            await revalidate()
        except (TimeoutError, TransportError, UpstreamError, RevalidationError) as error:
            reason = str(error) or type(error).__name__
            self._note_failure("upstream '%s': stale responses are not revalidated: %s", self._namespace, reason)
            return False
        except Exception:
            self._note_failure("upstream '%s': stale responses are not revalidated", self._namespace, unexpected=True)
            return False
        self._failing = False
        return True

    def _note_failure(self, message: str, *arguments: str, unexpected: bool = False) -> None:
        """Log the first of several failures."""
        if not self._failing:
            _LOG.warning(message, *arguments, exc_info=unexpected)
        self._failing = True
