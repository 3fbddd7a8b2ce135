"""The sockets of exposers that are no HTTP exposers, kept with their connections across reloads."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

from adapter_host.capability.spec import ListeningConfig
from adapter_host.compiler.plan import ExposerPlan, Plan
from adapter_host.errors import Problem, StartError
from adapter_host.operation.limiter import InFlightCounter
from adapter_host.plugin.exposer import Exposer
from adapter_host.plugin.listening import Line, Serving, SocketDeclaration
from adapter_host.settings import Settings

from .access_log import RequestLog
from .connection.close_server import close_server, close_server_soon
from .connection.connections import Connections
from .connection.handshake import TlsServer
from .connection.limits import descriptor_limits
from .connection.site import create_server
from .connection.socket_connection import BufferedSocketConnection, PlainSocketConnection, SocketConnection
from .endpoint import Endpoint
from .tls.server_tls import ServerTls


@dataclass(frozen=True, slots=True)
class SocketExposer:
    """An exposer with the socket that it has declared."""

    plan: Plan
    exposer_plan: ExposerPlan
    declaration: SocketDeclaration

    @property
    def exposer(self) -> Exposer[Any]:
        """The exposer."""
        return self.exposer_plan.exposer

    @property
    def config(self) -> ListeningConfig:
        """The model that has the address and port."""
        return self.declaration.config

    def assign(self, listener: SocketListener, requests: InFlightCounter) -> None:
        """Let the exposer use an open socket when it starts."""
        self.declaration.assign(listener, Serving(self.exposer, requests))

    def require_served(self) -> None:
        """Raise `StartError` if the started exposer does not serve its socket."""
        if self.declaration.factory is None and not self.declaration.duplicated:
            loaded, config = self.plan.loaded, self.exposer.config
            methods = "'serve', 'serve_streams' or 'duplicate'"
            message = f"'{config.namespace}' does not serve its socket; 'start' must call {methods} of it"
            raise StartError(str(loaded.source.problem(loaded.loc(config), message, code="cannot-listen")))


@dataclass(slots=True, eq=False)
class SocketListener(Endpoint):
    """The endpoint of one exposer with a socket of the host."""

    socket_exposer: SocketExposer = field(kw_only=True)
    _connections: Connections | None = None
    _open: dict[SocketConnection, None] = field(default_factory=dict)
    _line: Line | None = None
    _accepts: bool = False
    _server: asyncio.AbstractServer | TlsServer | None = None
    _tls_server: TlsServer | None = None

    @property
    def served(self) -> tuple[SocketExposer]:
        """The exposer."""
        return (self.socket_exposer,)

    @property
    def protocols(self) -> tuple[str, ...]:
        """Those that the exposer has declared."""
        return self.socket_exposer.declaration.protocols

    @property
    def serving(self) -> bool:
        """Whether connections are accepted, by the host or by the exposer."""
        return self._socket is not None and (self._server is not None or self.socket_exposer.declaration.duplicated)

    def refusal(self) -> Problem:
        """Return the problem of a socket inside an application that opens none."""
        exposer = self.socket_exposer
        loaded, config = exposer.plan.loaded, exposer.exposer.config
        key = "port" if self.path is None else "unixSocket"
        message = (
            f"'{config.namespace}' ({config.type}) listens on {self.name}, beside the application that the host is"
            " attached to; allow it with attach(..., listen=True), or leave the exposer out"
        )
        return loaded.source.problem(loaded.loc(exposer.config, key), message, code="cannot-listen")

    def urls(self) -> dict[int, str]:
        """Return the URL of its exposer, by its id."""
        exposer = self.socket_exposer
        return {id(exposer.exposer): self.url(exposer.declaration.scheme)}

    def url(self, scheme: str) -> str:
        """Return the URL of the socket."""
        if self.path is not None:
            return f"unix://{self.path}"
        if self.has_tls:
            scheme = "tls" if scheme == "tcp" else f"{scheme}s"
        return f"{scheme}://{self.location}"

    def duplicate(self) -> socket.socket:
        """Return a duplicate of the socket, which listens; raise `StartError` with TLS."""
        if self.has_tls:
            message = (
                f"'{self.socket_exposer.exposer.config.namespace}' accepts connections itself, without TLS; serve it"
                " by another host without --tls-cert, or on a Unix socket"
            )
            raise StartError(self.locate(message))
        assert self._socket is not None
        self._socket.listen(descriptor_limits().backlog)
        return self._socket.dup()

    def activity(self, transport: asyncio.BaseTransport) -> AbstractContextManager[Any]:
        """Return a context in which the connection of a transport is not idle."""
        protocol = transport.get_protocol()
        return protocol if isinstance(protocol, SocketConnection) else contextlib.nullcontext()

    def switch(self, socket_exposer: SocketExposer) -> Line | None:
        """Serve another exposer from now on; return the connections that it does not serve."""
        before, after = self._line, self._next_line(socket_exposer)
        self.socket_exposer = socket_exposer
        # Without a next line, the event loop may still create connections that it has accepted.
        self._line = after or before
        self._accepts = after is not None
        if after is None and self._server is not None:
            if isinstance(self._server, TlsServer):
                self._server.close()
            else:
                close_server_soon(self._server)
            self._server = None
        return before if before is not after else None

    def _next_line(self, socket_exposer: SocketExposer) -> Line | None:
        declaration = socket_exposer.declaration
        if declaration.factory is None:
            return None
        line, own = self._line if self._accepts else None, declaration.serving
        if line is None or type(line.current.exposer) is not type(own.exposer):
            line = Line(own, declaration.factory)
        line.current, line.factory, declaration.line = own, declaration.factory, line
        line.marks_requests = line.marks_requests or declaration.marks_requests
        return line

    async def start(self, settings: Settings, tls: ServerTls | None) -> None:
        """Accept connections on the open socket, unless the exposer does it."""
        if not self._accepts or self._server is not None:
            return
        if self._connections is None:
            if self.path is not None:
                settings = replace(settings, connection_limit_per_address=0)
            self._connections = Connections(settings, self.name, monitors_host=False)
            self._tls_server = self.tls_server(tls, self._connections, self._accept)
            if self._tls_server is not None and (write := settings.access_log) is not None:
                site = self.socket_exposer.exposer_plan.site
                self._tls_server.request_log = RequestLog(write, settings.trusted_proxies, lambda: site)
        assert self._socket is not None
        duplicate = self._socket.dup()
        duplicate.setblocking(False)
        if self._tls_server is None:
            self._server = await create_server(self._accept, duplicate, self._connections.backlog)
        else:
            self._tls_server.start(duplicate)
            self._server = self._tls_server

    def _accept(self) -> asyncio.BaseProtocol:
        line = self._line
        if line is None or self._connections is None:
            # The event loop had accepted the connection before the server was closed.
            return _LateConnection()
        protocol = line.factory()
        kind = BufferedSocketConnection if isinstance(protocol, asyncio.BufferedProtocol) else PlainSocketConnection
        connection = kind(protocol, line, self._connections, self._open.pop)
        self._open[connection] = None
        return connection

    async def stop_accepting(self) -> None:
        """Accept no new connections; open ones continue."""
        server, self._server = self._server, None
        if isinstance(server, TlsServer):
            server.close()
        elif server is not None:
            assert self._socket is not None
            assert self._connections is not None
            await close_server(server, self._socket, self._accept, self._connections.backlog)
        self.close()

    async def finish_bodies(self) -> None:
        """Wait for nothing: the host does not know the protocol."""

    async def close_line(self, line: Line) -> None:
        """Close the connections that no exposer serves any more."""
        await _close(connection for connection in self._open if connection.line is line)

    async def stop(self) -> None:
        """Close all connections and the socket."""
        await self.stop_accepting()
        if self._tls_server is not None:
            await self._tls_server.stop()
        await _close(self._open)
        self._line, self._accepts = None, False
        self.socket_exposer.declaration.release()


class _LateConnection(asyncio.Protocol):
    """A connection that nothing serves any more."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


async def _close(connections: Iterable[SocketConnection]) -> None:
    await asyncio.gather(*[connection.close() for connection in connections])
