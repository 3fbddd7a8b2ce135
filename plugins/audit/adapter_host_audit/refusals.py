"""Records of refused requests, at most so many each second: a flood of requests must not become one of records."""

from __future__ import annotations

import asyncio
from collections import Counter
from time import monotonic
from typing import Final

from adapter_host import RefusedRequest

from .audit_log import AuditLog
from .recording import head, now

WINDOW: Final = 1.0
"""Seconds for which records are counted; at its end, those that were left out are summarized."""

MAX_ADDRESSES: Final = 20
"""The client addresses that a summary lists; requests from further ones are only counted."""


class RefusalRecorder:
    """Records refused requests; `limit` is the number of records in each second.

    Requests beyond it are counted, and so are those whose record cannot be written. The next record that can be written
    has their number, by reason and by client address.
    """

    def __init__(self, log: AuditLog, limit: int) -> None:
        self._log = log
        self._limit = limit
        self._window_end = 0.0
        self._written = 0
        self._suppressed = Counter[str]()
        self._addresses = Counter[str]()
        self._since = ""
        self._timer: asyncio.TimerHandle | None = None

    def record(self, refused: RefusedRequest) -> None:
        """Write the record of a request, or count it."""
        time = monotonic()
        if time >= self._window_end:
            self._window_end, self._written = time + WINDOW, 0
        if self._written < self._limit:
            self._written += 1
            if self._log.write(_record(refused)):
                return
        self._suppress(refused)

    def flush(self) -> None:
        """Write the summary of the requests without a record, if there are any; the next one is written by a timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._suppressed:
            return
        addresses = dict(self._addresses.most_common())
        summary = {
            "time": now(),
            "since": self._since,
            "decision": "refused",
            "suppressed": self._suppressed.total(),
            "reasons": dict(self._suppressed),
            "client_addresses": addresses,
        }
        if self._log.write(summary):
            self._suppressed.clear()
            self._addresses.clear()

    def _suppress(self, refused: RefusedRequest) -> None:
        self._since = self._since if self._suppressed else now()
        self._suppressed[f"{refused.call.exposer}: {refused.refusal.code}"] += 1
        address = refused.call.client_address or "unknown"
        if address not in self._addresses and len(self._addresses) >= MAX_ADDRESSES:
            address = "others"
        self._addresses[address] += 1
        if self._timer is None:
            self._arm()

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(WINDOW, self._summarize)

    def _summarize(self) -> None:
        self.flush()
        if self._suppressed:
            self._arm()


def _record(refused: RefusedRequest) -> dict[str, object]:
    """Return the record of a refused request; an unknown path is null, as no operation has it."""
    return {
        **head(refused.call),
        "authentication": refused.authentication,
        "method": refused.method,
        "path": refused.path,
        "decision": "refused",
        "outcome": refused.refusal.status,
        "reason": refused.refusal.code,
        "detail": refused.refusal.detail,
    }
