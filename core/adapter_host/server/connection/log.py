"""Log lines about connections, each kind at most every few seconds: a flood of connections must not flood the log."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Final

INTERVAL: Final = 10.0
"""Minimum seconds between two lines of one kind."""

_log = logging.getLogger("adapter_host")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of events: what happened to a connection, the option that sets the limit, and the level of the line."""

    what: str
    option: str
    level: int = logging.WARNING


HEADER_TIMEOUT: Final = Kind("closed, no complete request head within the time limit", "--header-timeout", logging.INFO)
HANDSHAKE_TIMEOUT: Final = Kind(
    "closed, no complete TLS handshake within the time limit", "--header-timeout", logging.INFO
)
REQUEST_TIMEOUT: Final = Kind("closed, no request within the time limit", "--header-timeout", logging.INFO)
IDLE_TIMEOUT: Final = Kind("closed, idle for the time limit", "--keep-alive-timeout", logging.INFO)
BODY_TIMEOUT: Final = Kind("closed, the request body was too slow", "--body-timeout and --minimum-rate")
SEND_TIMEOUT: Final = Kind("aborted, the client did not read the response", "--send-timeout and --minimum-rate")
CONNECTION_LIMIT: Final = Kind("refused, too many connections are open", "--connection-limit")
ADDRESS_LIMIT: Final = Kind("refused, the client has too many connections", "--connection-limit-per-address")
DESCRIPTOR_LIMIT: Final = Kind("refused, the process has too few file descriptors", "ulimit -n")
EVICTED: Final = Kind("closed while idle, to make room for others", "--connection-limit and ulimit -n")


@dataclass(slots=True)
class _Unreported:
    count: int = 0
    address: str = ""
    next_line: float = 0.0


class ConnectionLog:
    """Counts events, and logs the count of each kind at most every `INTERVAL` seconds."""

    def __init__(self, location: str) -> None:
        self.location = location
        self._kinds: dict[Kind, _Unreported] = {}

    def report(self, kind: Kind, address: str) -> None:
        """Count an event that concerns a client; log it now, or with the next ones."""
        unreported = self._kinds.setdefault(kind, _Unreported())
        unreported.count += 1
        unreported.address = address
        self._write(kind, unreported, time.monotonic())

    def flush(self, *, force: bool = False) -> None:
        """Log the counts that are due, or with `force` all of them."""
        now = time.monotonic()
        for kind, unreported in self._kinds.items():
            if unreported.count:
                self._write(kind, unreported, float("inf") if force else now)

    def _write(self, kind: Kind, unreported: _Unreported, now: float) -> None:
        if now < unreported.next_line:
            return
        noun = "connection was" if unreported.count == 1 else "connections were"
        # Clients on a Unix socket have no address.
        last = f" (last from {unreported.address})" if unreported.address else ""
        _log.log(
            kind.level,
            "%s: %d %s %s%s; the limit is set by %s",
            self.location, unreported.count, noun, kind.what, last, kind.option,
        )  # fmt: skip
        unreported.count, unreported.next_line = 0, time.monotonic() + INTERVAL
