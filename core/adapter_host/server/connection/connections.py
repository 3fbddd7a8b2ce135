"""The open connections of a listener: their number is limited, and one timer checks the time limits of all of them."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol
from weakref import WeakSet

from adapter_host.settings import Settings

from .limits import AddressCounter, address_reader, descriptor_limits
from .log import ADDRESS_LIMIT, CONNECTION_LIMIT, DESCRIPTOR_LIMIT, EVICTED, ConnectionLog, Kind
from .progress import check_interval

FIRST_REQUEST_TIMEOUT: Final = 0.5
"""Seconds that a drain waits for the first requests of open connections."""

FOREVER: Final = 1e9
"""Seconds of a time limit that is never reached."""


class Connection(Protocol):
    """What the limits need of a connection."""

    address: str

    @property
    def is_idle(self) -> bool:
        """True while no request is in progress."""

    @property
    def is_silent(self) -> bool:
        """True until the first complete request head."""

    @property
    def is_body_incomplete(self) -> bool:
        """True while the body of the current request is being received."""

    def check(self, now: float) -> None:
        """End the connection if it has exceeded a time limit."""

    def evict(self) -> None:
        """Close the connection, which is idle."""

    async def response_sent(self) -> None:
        """Wait for the end of the current response."""


class Connections:
    """The open connections of one listener.

    A listener of monitoring exposers uses the descriptors that others must leave: it works when they are at a limit.
    """

    def __init__(self, settings: Settings, location: str, *, monitors_host: bool) -> None:
        self.settings = settings
        self.log = ConnectionLog(location)
        self._open: dict[Connection, str | None] = {}
        self._addresses = AddressCounter(settings.connection_limit_per_address)
        self._counted_address = address_reader(settings.trusted_proxies)
        limits = descriptor_limits()
        self.backlog = limits.backlog
        self._ceiling = None if monitors_host else limits.ceiling
        if not monitors_host:
            _descriptors.listeners.add(self)
        self._interval = check_interval(settings)
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: Connection, address: str, descriptor: int) -> bool:
        """Register a new connection, or return False if a limit is reached; close an idle one to make room."""
        counted = self._counted_address(address)
        if counted is not None and self._addresses.is_full(counted):
            return self._refuse(ADDRESS_LIMIT, address)
        limit = self.settings.connection_limit
        if self._ceiling is not None and not _descriptors.make_room(descriptor, self._ceiling):
            return self._refuse(DESCRIPTOR_LIMIT, address)
        if limit and len(self._open) >= limit and not self.evict_one():
            return self._refuse(CONNECTION_LIMIT, address)
        self._open[connection] = counted
        if counted is not None:
            self._addresses.add(counted)
        if self._timer is None:
            self._arm()
        return True

    def remove(self, connection: Connection) -> None:
        """Remove a closed connection, or one that was refused."""
        address = self._open.pop(connection, None)
        if address is not None:
            self._addresses.remove(address)

    async def finish_bodies(self) -> None:
        """Wait for the responses to the requests whose bodies are not complete yet.

        Connections that have just been opened have a moment for their first request.
        """
        await self._hear_first_requests()
        waiting = [connection.response_sent() for connection in self._open if connection.is_body_incomplete]
        if waiting:
            await asyncio.gather(*waiting)

    async def _hear_first_requests(self) -> None:
        # The server of a new connection has not begun to wait for a request yet.
        await asyncio.sleep(0)
        clock = asyncio.get_running_loop().time
        end = clock() + FIRST_REQUEST_TIMEOUT
        while clock() < end and any(connection.is_silent for connection in self._open):  # noqa: ASYNC110
            await asyncio.sleep(FIRST_REQUEST_TIMEOUT / 100)

    def _refuse(self, kind: Kind, address: str) -> bool:
        self.log.report(kind, address)
        return False

    def evict_one(self) -> bool:
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


class _Descriptors:
    """The descriptors that the connections of this process may have; all listeners share them."""

    def __init__(self) -> None:
        self.listeners: WeakSet[Connections] = WeakSet()
        self._most: int | None = None

    def make_room(self, descriptor: int, ceiling: int) -> bool:
        """Close an idle connection if a new one exceeds the number of descriptors; return False without an idle one.

        A new descriptor is the lowest free one, so with the one at `ceiling` all below are used. From then on the
        number of connections is the limit, as a closed one frees a low descriptor.
        """
        if self._most is None and descriptor < ceiling:
            return True
        count = sum(map(len, self.listeners))
        if descriptor >= ceiling:
            self._most = count if self._most is None else min(self._most, count)
        elif self._most is not None and count <= self._most * 3 // 4:
            self._most = None
        if self._most is None or count < self._most:
            return True
        return any(listener.evict_one() for listener in sorted(self.listeners, key=len, reverse=True))


_descriptors: Final = _Descriptors()
