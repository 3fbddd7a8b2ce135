"""A pool of connections to one origin."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from contextlib import suppress
from typing import Final

import aiohappyeyeballs

from adapter_host_http.transport.base import ConnectError, ConnectTimeoutError, Limits, Origin

from .connection import Connection, ConnectionContext
from .deadlines import Deadlines

KEEP_ALIVE: Final = 15.0
"""Idle connections are closed after so many seconds."""

_HAPPY_EYEBALLS_DELAY: Final = 0.25
"""Seconds before the next address of the origin is tried in parallel (RFC 8305, 8)."""


class Pool:
    """A pool that reuses the connection used last, so that surplus connections expire."""

    def __init__(self, origin: Origin, limits: Limits) -> None:
        self._origin = origin
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._deadlines = Deadlines(self._loop)
        self._context = ConnectionContext(
            self._loop, self._deadlines, limits.idle_timeout, self._release, self._on_close
        )
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._opened = 0
        self._sweep: asyncio.TimerHandle | None = None
        self._closed: asyncio.Future[None] | None = None

    def pop_idle(self) -> Connection | None:
        """Return an idle connection, if there is one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_reusable():
                return connection
        return None

    async def acquire(self, deadline: float, *, new: bool = False) -> Connection:
        """Return a connection before the deadline; with `new`, open one if that needs no waiting."""
        while True:
            if not new and (idle := self.pop_idle()) is not None:
                return idle
            if self._opened < self._limits.max_connections or self._evict_idle():
                self._opened += 1
                return await self._connect(deadline)
            connection = await self._wait_for_connection(deadline)
            if connection is None:
                return await self._connect(deadline)
            if connection.is_reusable():
                return connection

    async def close(self) -> None:
        """Close all connections and wait until they are closed."""
        self._closed = self._loop.create_future()
        if self._sweep is not None:
            self._sweep.cancel()
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(ConnectError("the connections were closed"))
        for connection in tuple(self._all):
            connection.close()
        if self._all:
            await self._closed
        self._deadlines.close()

    async def _wait_for_connection(self, deadline: float) -> Connection | None:
        """Return the connection that another call releases, or None as permission to open one."""
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout_at(deadline):
                return await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._return(waiter.result())
            with suppress(ValueError):
                self._waiting.remove(waiter)
            raise

    def _return(self, connection: Connection | None) -> None:
        if connection is None:
            self._release_slot()
        elif connection.usable:
            self._release(connection)

    def _next_waiter(self) -> asyncio.Future[Connection | None] | None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                return waiter
        return None

    def _release(self, connection: Connection) -> None:
        if self._closed is not None:
            connection.abort()
        elif (waiter := self._next_waiter()) is not None:
            waiter.set_result(connection)
        else:
            connection.last_used = self._loop.time()
            self._idle.append(connection)
            if self._sweep is None:
                self._sweep = self._loop.call_later(KEEP_ALIVE, self._close_expired)

    def _release_slot(self) -> None:
        """Let the next waiting call open a connection, or lower the count of connections."""
        if (waiter := self._next_waiter()) is not None:
            waiter.set_result(None)
        else:
            self._opened -= 1

    def _on_close(self, connection: Connection) -> None:
        if connection not in self._all:
            # It was closed while connecting; `_connect` releases its slot.
            return
        self._all.remove(connection)
        with suppress(ValueError):
            self._idle.remove(connection)
        self._release_slot()
        if self._closed is not None and not self._all and not self._closed.done():
            self._closed.set_result(None)

    def _evict_idle(self) -> bool:
        """Close the connection that has been idle longest, to open another."""
        if not self._idle:
            return False
        self._idle.pop(0).abort()
        return True

    def _close_expired(self) -> None:
        self._sweep = None
        expired_before = self._loop.time() - KEEP_ALIVE
        while self._idle and self._idle[0].last_used <= expired_before:
            self._idle.pop(0).abort()
        if self._idle:
            self._sweep = self._loop.call_at(self._idle[0].last_used + KEEP_ALIVE, self._close_expired)

    async def _connect(self, deadline: float) -> Connection:
        try:
            return await self._open_before(deadline)
        except BaseException:
            self._release_slot()
            raise

    async def _open_before(self, deadline: float) -> Connection:
        latest = self._loop.time() + self._limits.connect_timeout
        try:
            async with asyncio.timeout_at(min(latest, deadline)):
                connection = await self._open()
        except TimeoutError:
            if deadline <= latest:
                raise
            raise ConnectTimeoutError(f"no connection to {self._address} in time") from None
        except OSError as error:
            raise ConnectError(f"cannot connect to {self._address} ({error})") from error
        if not connection.usable:
            raise ConnectError(f"{self._address} closed the connection immediately")
        self._all.add(connection)
        if self._closed is not None:
            connection.abort()
        return connection

    async def _open(self) -> Connection:
        origin, loop = self._origin, self._loop
        addresses = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
        sock = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=_HAPPY_EYEBALLS_DELAY, loop=loop)
        context, name = origin.ssl_context, origin.host.rstrip(".")
        if (tls := origin.tls) is not None:
            context, name = tls.current.context, tls.server_name or name
        _, connection = await loop.create_connection(
            lambda: Connection(self._context), sock=sock, ssl=context, server_hostname=name if context else None
        )
        return connection

    @property
    def _address(self) -> str:
        return f"{self._origin.host}:{self._origin.port}"
