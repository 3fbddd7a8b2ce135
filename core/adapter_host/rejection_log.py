"""Warnings about an API that rejects the host's own credential: at most one a minute for each consumer."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Final

INTERVAL: Final = 60.0
"""Minimum seconds between two warnings."""

_SECRET: Final = re.compile(r"\{\{\s*([^{}\s]+)\s*\}\}")


class RejectionLog:
    """Logs the refusals of one API of the host's own credential.

    `masked` is the credential with secrets by name; `clock` returns seconds.
    """

    def __init__(
        self, log: logging.Logger, namespace: str, masked: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._namespace = namespace
        names = dict.fromkeys(_SECRET.findall(masked))
        secrets = " and ".join(f"'{name}'" for name in names)
        # A credential in the document itself is not logged.
        self._source = f"the bind of {secrets}" if names else "'authentication' in the document"
        self._clock = clock
        self._next = 0.0
        self._left_out = 0

    def report(self, status: int | str) -> None:
        """Log a refusal with its status, or count it if the last one was logged within a minute."""
        now = self._clock()
        if now < self._next:
            self._left_out += 1
            return
        more = f" (and {self._left_out} more times since the last warning)" if self._left_out else ""
        self._next, self._left_out = now + INTERVAL, 0
        self._log.warning(
            "upstream '%s' responded %s to the host's own credential%s; check %s",
            self._namespace, status, more, self._source,
        )  # fmt: skip
