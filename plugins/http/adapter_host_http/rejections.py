"""Responses of an API that rejects the host's own credential."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from adapter_host import RejectionLog, UpstreamCredential

from .request.request import Request

REJECTED: Final = frozenset({401, 403})

_LOG: Final = logging.getLogger("adapter_host.http")


class Rejections:
    """The responses of one API to the host's own credential; `clock` returns seconds."""

    def __init__(
        self, namespace: str, credential: UpstreamCredential, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._header = credential.name.lower() if credential.in_ == "header" else ""
        self._log = RejectionLog(_LOG, namespace, credential.masked, clock)

    def report(self, status: int, request: Request) -> None:
        """Log a response with status 401 or 403, unless the call has sent a credential in the place of the host's."""
        if self._header not in request.call_headers:
            self._log.report(status)
