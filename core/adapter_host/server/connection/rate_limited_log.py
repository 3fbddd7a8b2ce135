"""Warnings that clients can cause: at most one each second, with the number of those left out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

INTERVAL: Final = 1.0
"""Minimum seconds between two lines."""


class RateLimitedLog:
    """A logger of warnings; `clock` returns seconds."""

    def __init__(self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._clock = clock
        self._next = 0.0
        self._left_out = 0

    def warning(self, message: str, *arguments: object) -> None:
        """Log a warning, or count it if the last one was logged a moment ago."""
        now = self._clock()
        if now < self._next:
            self._left_out += 1
            return
        self._next = now + INTERVAL
        if self._left_out:
            message += " (and %d more before)"
            arguments = (*arguments, self._left_out)
            self._left_out = 0
        self._logger.warning(message, *arguments)
