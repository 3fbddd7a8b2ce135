"""The connections of exposers that are no HTTP exposers: protocols of plugins within the limits of the host."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, cast

from adapter_host.plugin.listening import Line, StreamProtocol

from .connections import Connections
from .log import IDLE_TIMEOUT, REQUEST_TIMEOUT, SEND_TIMEOUT
from .progress import Progress, is_send_stalled

if TYPE_CHECKING:
    from typing_extensions import Buffer

GRACE: Final = 1.0
"""Seconds that requests in progress have to end when their connection is closed."""

_TURNS: Final = 3


class SocketConnection(asyncio.BaseProtocol):
    """One connection; everything that happens on it reaches the protocol of the plugin.

    It is its own context of a request in progress. `closed` is set when the connection is lost.
    """

    def __init__(
        self,
        inner: asyncio.BaseProtocol,
        line: Line,
        connections: Connections,
        forget: Callable[[SocketConnection, None], None],
    ) -> None:
        self.inner = inner
        self.line = line
        self.address = ""
        self.transport: asyncio.Transport | None = None
        self.requests = 0
        self.closed = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()
        self._connections = connections
        self._forget = forget
        self._received = self._began = False
        self._since = 0.0
        self._progress = Progress()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve the connection, or close it if a limit is reached."""
        tcp = cast(asyncio.Transport, transport)
        peer = tcp.get_extra_info("peername")
        self.address = peer[0] if isinstance(peer, tuple) else ""
        if not self._connections.admit(self, self.address, tcp.get_extra_info("socket").fileno()):
            self._forget(self, None)
            tcp.close()
            return
        self.transport = tcp
        self._since = asyncio.get_running_loop().time()
        self.inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the connection."""
        if self.transport is not None:
            self.inner.connection_lost(exc)
        self._end()

    def _end(self) -> None:
        self._connections.remove(self)
        self._forget(self, None)
        self.closed.set()

    def pause_writing(self) -> None:
        """Forward the event."""
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        """Forward the event."""
        self.inner.resume_writing()

    def __enter__(self) -> None:
        self.requests += 1
        self._began = self.line.marks_requests = True
        self.idle.clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.requests -= 1
        if not self.requests:
            self._since = asyncio.get_running_loop().time()
            self.idle.set()

    @property
    def is_silent(self) -> bool:
        """True until the client has sent something."""
        return not self._received and not self._began

    @property
    def is_idle(self) -> bool:
        """True while no request is in progress, as far as the exposer marks requests."""
        return self.line.marks_requests and not self.requests

    @property
    def is_body_incomplete(self) -> bool:
        """False: the protocol is unknown."""
        return False

    async def response_sent(self) -> None:
        """Wait for the end of the current request."""
        await self.idle.wait()

    def evict(self) -> None:
        """Close the connection while it is idle, without waiting until the client has read earlier responses."""
        assert self.transport is not None
        # With TLS, a client could delay the end by not responding to the close_notify.
        if self.transport.get_write_buffer_size() or self.transport.get_extra_info("sslcontext") is not None:
            self.transport.abort()
        else:
            self.transport.close()

    def check(self, now: float) -> None:
        """End the connection if it has exceeded a time limit."""
        tcp = self.transport
        assert tcp is not None
        if tcp.is_closing() and tcp.get_protocol() is not self:
            # The protocol of the plugin has installed another one, so the event loop does not call this one.
            self._end()
            return
        if pending := tcp.get_write_buffer_size():
            if is_send_stalled(self._progress, now, 0, pending, self._connections.settings):
                self._connections.log.report(SEND_TIMEOUT, self.address)
                tcp.abort()
                return
        else:
            self._progress.pause()
        if not self.requests and not tcp.is_closing():
            self._check_idle(tcp, now)

    def _check_idle(self, tcp: asyncio.Transport, now: float) -> None:
        settings = self._connections.settings
        timeout, kind = settings.keep_alive_timeout, IDLE_TIMEOUT
        if not self._began:
            if self._received and not self.line.marks_requests:
                return
            timeout, kind = settings.header_timeout, REQUEST_TIMEOUT
        if timeout and now - self._since >= timeout:
            self._connections.log.report(kind, self.address)
            tcp.close()

    async def close(self) -> None:
        """Close the connection after its requests in progress, or after a moment."""
        # Data that has arrived is read in one turn of the loop, and its request begins in the next ones.
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(GRACE):
                await self.idle.wait()
        except TimeoutError:
            pass
        task = self.inner.task if isinstance(self.inner, StreamProtocol) else None
        if task is not None:
            task.cancel()
        # A transport with TLS that is closed twice cannot be aborted any more.
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()
        try:
            async with asyncio.timeout(GRACE):
                await self.closed.wait()
                if task is not None:
                    await asyncio.wait([task])
        except TimeoutError:
            if self.transport is not None:
                self.transport.abort()
                # The event loop closes it in the next turns.
                for _ in range(_TURNS):
                    await asyncio.sleep(0)


class PlainSocketConnection(SocketConnection, asyncio.Protocol):
    """A connection whose protocol receives data."""

    inner: asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        """Forward the data."""
        self._received = True
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Forward the event."""
        return self.inner.eof_received()


class BufferedSocketConnection(SocketConnection, asyncio.BufferedProtocol):
    """A connection whose protocol provides buffers for the data."""

    inner: asyncio.BufferedProtocol

    def get_buffer(self, sizehint: int) -> Buffer:
        """Return the buffer of the protocol."""
        return self.inner.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        """Forward the event."""
        self._received = True
        self.inner.buffer_updated(nbytes)

    def eof_received(self) -> bool | None:
        """Forward the event."""
        return self.inner.eof_received()
