"""Threads for functions that may block for long, such as reading from a disk that does not respond."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import Lock, Thread
from typing import Any, ParamSpec, TypeVar

_Arguments = ParamSpec("_Arguments")
_Returned = TypeVar("_Returned")


class DaemonThreads:
    """At most `limit` threads at a time, which end when they have nothing to do.

    Unlike those of asyncio's default executor, they do not delay the end of the process, and functions that block all
    of them affect only users of the same object.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._lock = Lock()

    async def run(
        self, function: Callable[_Arguments, _Returned], *args: _Arguments.args, **kwargs: _Arguments.kwargs
    ) -> _Returned:
        """Run a function in a thread; a cancelled one that waits for a thread is not run."""
        context = copy_context()
        future: Future[_Returned] = Future()
        with self._lock:
            self._waiting.append((future, lambda: context.run(function, *args, **kwargs)))
            is_new = self._count < self._limit
            self._count += is_new
        if is_new:
            Thread(target=self._work, name="adapter-host", daemon=True).start()
        return await asyncio.wrap_future(future)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._count -= 1
                    return
                future, function = self._waiting.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                # Any exception is raised where the function is awaited.
                result = function()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
