"""TLS handshakes of clients: their connections count before they are complete, and their time is limited.

The servers of asyncio create the protocol of a connection with TLS only after the handshake, so they are not used.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, cast

from adapter_host.operation.request_id import new_request_id

from .close_server import accept_waiting
from .connections import FOREVER, Connections
from .log import HANDSHAKE_TIMEOUT
from .protocol_errors import RequestEnd
from .rate_limited_log import RateLimitedLog

_log = logging.getLogger("adapter_host")

_RETRY: Final = 1.0
"""Seconds until the next connection is accepted when the system has no resources for one."""

_TEXT: Final = b"this port has TLS; use a URL with https://\n"
_PLAIN_HTTP_RESPONSE: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
    % (len(_TEXT), _TEXT)
)

_REASONS: Final = {
    "HTTP_REQUEST": "it sent plain HTTP; its URL must begin with https://",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it sent no certificate, which --tls-client-ca requires",
    "WRONG_VERSION_NUMBER": "it sent no TLS",
}


class TlsServer:
    """Accepts the connections of one listener; `create` returns the protocol of one after its handshake.

    `context` returns the context of the next connection.
    """

    def __init__(
        self,
        context: Callable[[], ssl.SSLContext],
        connections: Connections,
        create: Callable[[], asyncio.BaseProtocol],
    ) -> None:
        self.context = context
        self.connections = connections
        self.create = create
        self.refusals = RateLimitedLog(_log)
        self.handshakes: set[asyncio.Task[None]] = set()
        self.request_log: RequestEnd | None = None
        self._listening: socket.socket | None = None
        self._retry: asyncio.TimerHandle | None = None

    def start(self, listening: socket.socket) -> None:
        """Accept connections on a bound socket, which is closed at the end."""
        listening.listen(self.connections.backlog)
        listening.setblocking(False)
        self._listening = listening
        self._watch()

    def _watch(self) -> None:
        # Not by a task with sock_accept, which loses a connection when it is cancelled in the turn of its acceptance.
        assert self._listening is not None
        asyncio.get_running_loop().add_reader(self._listening, self._accept, self._listening)

    def _accept(self, listening: socket.socket) -> None:
        try:
            accepted, peer = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):
            return  # the client has gone, or another process has accepted the connection
        except OSError as error:
            _log.error("%s: cannot accept a connection: %s", self.connections.log.location, error)
            loop = asyncio.get_running_loop()
            loop.remove_reader(listening)
            self._retry = loop.call_later(_RETRY, self._watch)
            return
        self._begin(accepted, peer)

    def _begin(self, accepted: socket.socket, peer: Any) -> None:
        accepted.setblocking(False)
        Handshake(self, accepted, peer[0] if peer else "").start()

    def close(self) -> None:
        """Accept no new connections, but serve those that the kernel has accepted; open ones continue."""
        listening, self._listening = self._listening, None
        if listening is None:
            return
        asyncio.get_running_loop().remove_reader(listening)
        if self._retry is not None:
            self._retry.cancel()
        for accepted, peer in accept_waiting(listening, self.connections.backlog):
            self._begin(accepted, peer)
        listening.close()

    async def stop(self) -> None:
        """Close the connections whose handshakes are not complete."""
        self.close()
        tasks = tuple(self.handshakes)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


class Handshake(asyncio.Protocol):
    """A connection until its handshake is complete."""

    def __init__(self, server: TlsServer, accepted: socket.socket, address: str) -> None:
        self.address = address
        self._server = server
        self._socket = accepted
        self._task: asyncio.Task[None] | None = None
        self._since = 0.0
        self._begun = False

    def start(self) -> None:
        """Begin the handshake, or close the connection if a limit is reached."""
        if not self._server.connections.admit(self, self.address, self._socket.fileno()):
            self._socket.close()
            return
        loop = asyncio.get_running_loop()
        self._since = loop.time()
        self._task = loop.create_task(self._run())
        self._server.handshakes.add(self._task)
        self._task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._server.handshakes.discard(task)
        self._server.connections.remove(self)
        if not self._begun:
            self._socket.close()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("%s: TLS handshake failed", self._server.connections.log.location, exc_info=error)

    async def _run(self) -> None:
        # The event loop closes the socket after an error, before a response could be sent.
        spare = self._duplicate()
        self._begun = True
        try:
            await self._open()
        except OSError as error:
            self._report(error, spare)
        finally:
            if spare is not None:
                spare.close()

    async def _open(self) -> None:
        """Complete the handshake; close the connection if this is cancelled."""
        loop = asyncio.get_running_loop()
        opening = loop.create_task(
            loop.connect_accepted_socket(
                lambda: self, self._socket, ssl=self._server.context(), ssl_handshake_timeout=FOREVER,
                ssl_shutdown_timeout=self._server.connections.settings.send_timeout or FOREVER,
            )
        )  # fmt: skip
        try:
            await asyncio.wait([opening])
        except asyncio.CancelledError:
            # The event loop creates the transport in one turn and opens it in the next one; in between it would not
            # close it, and the connection would stay open.
            loop.call_soon(lambda: loop.call_soon(opening.cancel))
            await asyncio.wait([opening])
            # The transport closes.
            await asyncio.sleep(0)
            raise
        opening.result()

    def _duplicate(self) -> socket.socket | None:
        """Return a duplicate of the socket; None if the process has no descriptor left."""
        try:
            return self._socket.dup()
        except OSError:
            return None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Continue with the next protocol: the handshake is complete."""
        # The next protocol counts the connection again.
        self._server.connections.remove(self)
        protocol = self._server.create()
        cast(asyncio.Transport, transport).set_protocol(protocol)
        protocol.connection_made(transport)

    def _report(self, error: OSError, spare: socket.socket | None) -> None:
        location = self._server.connections.log.location
        if not isinstance(error, ssl.SSLError):
            # Health checks of load balancers connect and close.
            _log.debug("%s: TLS handshake with %s was not completed: %s", location, self.address, error)
            return
        if isinstance(error, ssl.SSLCertVerificationError):
            reason = f"its certificate is refused: {error.verify_message}"
        else:
            code = error.reason or "unknown error"
            reason = _REASONS.get(code, code.replace("_", " ").lower())
        if error.reason == "HTTP_REQUEST" and spare is not None:
            with suppress(OSError):  # the client has gone
                spare.send(_PLAIN_HTTP_RESPONSE)
                spare.shutdown(socket.SHUT_WR)
                self._note_plain_http()
        self._server.refusals.warning("%s: TLS handshake with %s failed: %s", location, self.address, reason)

    def _note_plain_http(self) -> None:
        if (log := self._server.request_log) is not None:
            duration = asyncio.get_running_loop().time() - self._since
            size = len(_PLAIN_HTTP_RESPONSE)
            log.end_without_request(400, "plain-http", new_request_id(), size, duration, self.address)

    @property
    def is_idle(self) -> bool:
        """True: no request is in progress."""
        return True

    @property
    def is_silent(self) -> bool:
        """True: there is no request head yet."""
        return True

    @property
    def is_body_incomplete(self) -> bool:
        """False: there is no body."""
        return False

    async def response_sent(self) -> None:
        """Do nothing: there is no response."""

    def evict(self) -> None:
        """Close the connection."""
        if self._task is not None:
            self._task.cancel()

    def check(self, now: float) -> None:
        """End the connection if it has exceeded the time limit."""
        timeout = self._server.connections.settings.header_timeout
        if timeout and now - self._since >= timeout:
            self._server.connections.log.report(HANDSHAKE_TIMEOUT, self.address)
            self.evict()
