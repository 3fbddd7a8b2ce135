"""Writes lines in a thread, so that a reader that stalls, or a full disk, does not block the rest of the process."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

_ATOMIC: Final = getattr(select, "PIPE_BUF", 512)
"""Bytes of a write to a pipe that the lines of other processes do not interrupt."""

_POLL: Final = 0.1
"""Seconds between two checks for the deadline while the reader is stalled."""

COLLECTION_TIME: Final = 0.05
"""Seconds for which lines that are not urgent wait for others, as waking the thread for each costs more than a line."""

PAUSE_TIMEOUT: Final = 1.0
"""Maximum seconds for the writes in progress before the process forks."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Lines that were not written."""

    lines: int
    reason: str


class LogWriter:
    """Writes lines to a file descriptor; lines that exceed `limit` bytes, or cannot be written, are counted.

    `describe_loss` returns the line to write in the place of lost ones.
    """

    def __init__(self, descriptor: int, limit: int, describe_loss: Callable[[Loss], bytes]) -> None:
        self._descriptor = descriptor
        self._limit = limit
        self._describe_loss = describe_loss
        # The lock is reentrant, as the garbage collector may log at any time.
        self._changed = threading.Condition(threading.RLock())
        self._waiting: deque[bytes | Loss] = deque()
        self._size = 0
        self._lost = 0
        self._reason = ""
        self._failing = False
        self._is_in_line = False
        self._is_collecting = False
        self._is_urgent = False
        self._deadline: float | None = None
        self._thread: threading.Thread | None = None
        self.start()

    def put(self, lines: bytes, *, urgent: bool = True) -> None:
        """Write whole lines later, or count them if too many bytes are waiting.

        Lines that are not `urgent` are written within `COLLECTION_TIME`, together.
        """
        with self._changed:
            if self._size + len(lines) > self._limit:
                self._lost += lines.count(b"\n")
                self._reason = f"more than {self._limit} bytes were waiting to be read"
            else:
                if self._lost:
                    self._waiting.append(Loss(self._lost, self._reason))
                    self._lost = 0
                self._waiting.append(lines)
                self._size += len(lines)
            if urgent:
                self._is_urgent = True
                self._changed.notify()
            elif not self._is_collecting:
                self._is_collecting = True
                self._changed.notify()

    def start(self) -> None:
        """Start the thread, or let it continue."""
        with self._changed:
            self._deadline = None
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="log", daemon=True)
            self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop the thread after the lines that it can write within `timeout` seconds."""
        with self._changed:
            self._deadline = time.monotonic() + timeout
            self._changed.notify()
        if self._thread is not None:
            # Only a write that the system blocks takes longer, for example one to a disk that hangs.
            self._thread.join(timeout + 2 * _POLL)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the thread in a context, as a process that forks should have none; keep the lines meanwhile."""
        self.stop(PAUSE_TIMEOUT)
        try:
            yield
        finally:
            self.start()

    def _run(self) -> None:
        while (item := self._next()) is not None:
            self._write(item)

    def _next(self) -> bytes | Loss | None:
        """Wait for lines, and return those that one write takes, or lost ones; None to end."""
        with self._changed:
            # After a failed write, only further lines are a reason for another one.
            while not self._waiting and (self._failing or not self._lost):
                if self._deadline is not None:
                    return None
                self._is_collecting = self._is_urgent = False
                self._changed.wait()
            if self._is_collecting and not self._is_urgent:
                self._changed.wait_for(lambda: self._is_urgent or self._deadline is not None, COLLECTION_TIME)
                # Until none is left, further lines are written at once.
                self._is_urgent = True
            if self._is_overdue():
                return None
            if not self._waiting:
                loss, self._lost = Loss(self._lost, self._reason), 0
                return loss
            item = self._waiting.popleft()
            while isinstance(item, bytes) and self._waiting:
                following = self._waiting[0]
                if isinstance(following, Loss) or len(item) + len(following) > _ATOMIC:
                    break
                item += following
                self._waiting.popleft()
            return item

    def _write(self, item: bytes | Loss) -> None:
        """Write an item; count its lines if that fails, and keep what is not written at the deadline."""
        data = self._describe_loss(item) if isinstance(item, Loss) else item
        charged = len(item) if isinstance(item, bytes) else 0
        if self._is_in_line:
            data = b"\n" + data
        remaining = data
        while remaining:
            if not self._wait_until_writable():
                with self._changed:
                    # A loss that is partly written is text by now.
                    kept = item if remaining is data else remaining
                    self._waiting.appendleft(kept)
                    self._size += (len(kept) if isinstance(kept, bytes) else 0) - charged
                return
            try:
                written = os.write(self._descriptor, remaining[:_ATOMIC])
            except BlockingIOError:
                continue
            except OSError as error:
                with self._changed:
                    self._failing = True
                    self._lost += item.lines if isinstance(item, Loss) else item.count(b"\n")
                    self._reason = (error.strerror or str(error)).lower()
                    self._size -= charged
                return
            self._is_in_line = remaining[written - 1 : written] != b"\n"
            remaining = remaining[written:]
        with self._changed:
            self._failing = False
            self._size -= charged

    def _is_overdue(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _wait_until_writable(self) -> bool:
        """Wait until a write does not block; return False at the deadline."""
        if not hasattr(select, "poll"):
            return not self._is_overdue()
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        while not self._is_overdue():
            if poll.poll(_POLL * 1000):
                return True
        return False
