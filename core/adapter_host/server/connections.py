"""The open connections of a listener: their number is limited, and one timer checks the time limits of all of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from adapter_host.settings import Settings

from .connection_limits import AddressCounter, address_reader, descriptor_ceiling
from .limited_log import ADDRESS_LIMIT, CONNECTION_LIMIT, DESCRIPTOR_LIMIT, EVICTED, Kind, LimitedLog
from .progress import check_interval

if TYPE_CHECKING:
    from .protocol import ConnectionProtocol


class Connections:
    """The open connections of one listener.

    A listener of monitoring exposers uses the descriptors that others must leave: it works when they are at a limit.
    """

    def __init__(self, settings: Settings, location: str, *, monitors_host: bool) -> None:
        self.settings = settings
        self.log = LimitedLog(location)
        self._open: dict[ConnectionProtocol, str | None] = {}
        self._addresses = AddressCounter(settings.connection_limit_per_address)
        self._counted_address = address_reader(settings.trusted_proxies)
        self._ceiling = None if monitors_host else descriptor_ceiling()
        self._interval = check_interval(settings)
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: ConnectionProtocol, address: str, descriptor: int) -> bool:
        """Register a new connection, or return False if a limit is reached; close an idle one to make room."""
        counted = self._counted_address(address)
        if counted is not None and self._addresses.is_full(counted):
            return self._refuse(ADDRESS_LIMIT, address)
        limit = self.settings.connection_limit
        if self._ceiling is not None and descriptor >= self._ceiling:
            if not self._evict():
                return self._refuse(DESCRIPTOR_LIMIT, address)
        elif limit and len(self._open) >= limit and not self._evict():
            return self._refuse(CONNECTION_LIMIT, address)
        self._open[connection] = counted
        if counted is not None:
            self._addresses.add(counted)
        if self._timer is None:
            self._arm()
        return True

    def remove(self, connection: ConnectionProtocol) -> None:
        """Remove a closed connection, or one that was refused."""
        address = self._open.pop(connection, None)
        if address is not None:
            self._addresses.remove(address)

    async def finish_bodies(self) -> None:
        """Wait for the responses to the requests whose bodies are not complete yet."""
        waiting = [connection.response_sent() for connection in self._open if connection.is_body_incomplete]
        if waiting:
            await asyncio.gather(*waiting)

    def _refuse(self, kind: Kind, address: str) -> bool:
        self.log.report(kind, address)
        return False

    def _evict(self) -> bool:
        """Close the oldest connection without a request in progress, first one that never sent a request."""
        victim = next((each for each in self._open if each.is_silent), None)
        victim = victim or next((each for each in self._open if each.is_idle), None)
        if victim is None:
            return False
        self.log.report(EVICTED, victim.address)
        victim.evict()
        # It counts no longer, although the event loop closes it later.
        self.remove(victim)
        return True

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._check)

    def _check(self) -> None:
        self._timer = None
        if not self._open:
            self.log.flush(force=True)
            return
        self._arm()
        self.log.flush()
        now = asyncio.get_running_loop().time()
        for connection in list(self._open):
            connection.check(now)
