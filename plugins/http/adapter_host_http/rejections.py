"""Warnings about an API that rejects the host's own credential: at most one a minute for each consumer."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Final

from .credential import Credential
from .request.request import Request

INTERVAL: Final = 60.0
"""Minimum seconds between two warnings."""

REJECTED: Final = frozenset({401, 403})

_SECRET: Final = re.compile(r"\{\{\s*([^{}\s]+)\s*\}\}")
_LOG: Final = logging.getLogger("adapter_host.http")


class RejectionLog:
    """Logs the responses of one API to the host's own credential; `clock` returns seconds."""

    def __init__(self, namespace: str, credential: Credential, clock: Callable[[], float] = time.monotonic) -> None:
        self._namespace = namespace
        self._header = credential.name.lower() if credential.in_ == "header" else ""
        names = dict.fromkeys(_SECRET.findall(credential.masked))
        secrets = " and ".join(f"'{name}'" for name in names)
        # A credential in the document itself is not logged.
        self._source = f"the bind of {secrets}" if names else "'authentication' in the document"
        self._clock = clock
        self._next = 0.0
        self._left_out = 0

    def report(self, status: int, request: Request) -> None:
        """Log a response with status 401 or 403, or count it if the last one was logged within a minute.

        A call may have sent a credential in the place of the host's own.
        """
        if self._header in request.call_headers:
            return
        now = self._clock()
        if now < self._next:
            self._left_out += 1
            return
        more = f" (and {self._left_out} more times since the last warning)" if self._left_out else ""
        self._next, self._left_out = now + INTERVAL, 0
        _LOG.warning(
            "upstream '%s' responded %d to the host's own credential%s; check %s",
            self._namespace, status, more, self._source,
        )  # fmt: skip
