"""Sockets that listen: bound once and kept across reloads, on an address and port or on the path of a Unix socket."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from adapter_host.errors import StartError
from adapter_host.hosts import join_port
from adapter_host.settings import Settings

from .addresses import Served
from .connection.connections import Connections
from .connection.handshake import TlsServer
from .tls.server_tls import ServerTls

Key = tuple[str, int | str]
"""The identity of an endpoint across reloads: its address, and its port or, for a free port, its exposer."""


@dataclass(slots=True, eq=False)
class Endpoint(ABC):
    """A socket on one address and port, or on `path`; `port` is the actual one once it is bound.

    `has_tls` is False for a path. `inherited` is the socket if another process has bound it: its file is not removed.
    """

    key: Key
    address: str
    port: int
    path: str | None = None
    has_tls: bool = False
    inherited: socket.socket | None = None
    _socket: socket.socket | None = None
    _inode: tuple[int, int] | None = None

    @property
    @abstractmethod
    def served(self) -> Sequence[Served]:
        """The exposers; the first one declares the socket."""

    @property
    def monitors_host(self) -> bool:
        """Whether all its exposers monitor the host."""
        return False

    @property
    @abstractmethod
    def protocols(self) -> tuple[str, ...]:
        """The protocols that are offered with TLS (ALPN)."""

    @property
    @abstractmethod
    def serving(self) -> bool:
        """Whether it accepts connections."""

    @property
    def name(self) -> str:
        """The address and port, or the path, for messages."""
        return join_port(self.address, self.port) if self.path is None else self.path

    @property
    def location(self) -> str:
        """The host and port of a URL that clients on this machine can use."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.address, self.address)
        return join_port(host, self.port)

    @abstractmethod
    def urls(self) -> dict[int, str]:
        """Return the URLs of its exposers, by their ids."""

    @abstractmethod
    async def start(self, settings: Settings, tls: ServerTls | None) -> None:
        """Accept connections on the open socket, if it does not yet."""

    @abstractmethod
    async def stop_accepting(self) -> None:
        """Accept no new connections; open ones continue."""

    @abstractmethod
    async def finish_bodies(self) -> None:
        """Wait for the responses to the requests whose bodies are not complete yet."""

    @abstractmethod
    async def stop(self) -> None:
        """Close all connections and the socket."""

    def open(self, *, shared: bool = False) -> None:
        """Bind the socket; connections wait until it is served. Raise `StartError`."""
        self._socket = self.bind(shared=shared)
        self._socket.setblocking(False)

    def adopt(self, bound: socket.socket) -> Self:
        """Use a duplicate of a socket that is bound already."""
        self._socket = bound.dup()
        self._socket.setblocking(False)
        if self.path is None:
            self.port = bound.getsockname()[1]
        return self

    def prepare_tls(self, tls: ServerTls) -> None:
        """Prepare the context of its connections; raise `StartError`."""
        if self.has_tls:
            tls.use(self.protocols, requires_client=not self.monitors_host)

    def tls_server(
        self, tls: ServerTls | None, connections: Connections, create: Callable[[], asyncio.BaseProtocol]
    ) -> TlsServer | None:
        """Return the server of its connections if they have TLS; `create` returns the protocol of one.

        Health checks of orchestrators have no certificate, so the ports of monitoring exposers do not require one.
        """
        if not self.has_tls or tls is None:
            return None

        def context() -> ssl.SSLContext:
            return tls.current(self.protocols, requires_client=not self.monitors_host)

        return TlsServer(context, connections, create)

    def replace(self, other: Endpoint) -> None:
        """Use the socket of another endpoint with the same key, which is about to stop."""
        assert other._socket is not None
        self.adopt(other._socket)

    def close(self) -> None:
        """Close the socket, and remove the file of a Unix socket."""
        listening, self._socket = self._socket, None
        if listening is not None:
            listening.close()
        self.remove_file()

    def remove_file(self) -> None:
        """Remove the file of a Unix socket that this endpoint has bound."""
        inode, self._inode = self._inode, None
        if inode is not None and self.path is not None and _inode(self.path) == inode:
            with suppress(OSError):  # somebody else has removed it since
                os.unlink(self.path)

    def bind(self, *, shared: bool = False) -> socket.socket:
        """Return a bound socket and set `port` to the actual port; raise `StartError`."""
        if self.inherited is not None:
            return self.inherited.dup()
        if self.path is not None:
            return self._bind_path(self.path)
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        try:
            bound = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            raise StartError(self._cannot_listen(error)) from error
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            bound.bind((self.address, self.port))
        except (OSError, OverflowError, TypeError, ValueError) as error:
            bound.close()
            raise StartError(self._cannot_listen(error)) from error
        self.port = bound.getsockname()[1]
        return bound

    def _bind_path(self, path: str) -> socket.socket:
        if not hasattr(socket, "AF_UNIX"):
            raise StartError(self.locate("Unix sockets are not supported on this system; set 'port'"))
        try:
            bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        except OSError as error:
            raise StartError(self._cannot_listen(error)) from error
        try:
            if _is_abandoned(path):
                os.unlink(path)
            bound.bind(path)
        except OSError as error:
            bound.close()
            raise StartError(self._cannot_listen(error)) from error
        self._inode = _inode(path)
        return bound

    def locate(self, message: str) -> str:
        """Return `message` with the document position of this socket."""
        return self._at("port" if self.path is None else "unixSocket", message)

    def _at(self, key: str, message: str) -> str:
        config, loaded = self.served[0].config, self.served[0].plan.loaded
        return str(loaded.source.problem(loaded.loc(config, key), message, code="cannot-listen"))

    def _cannot_listen(self, error: Exception) -> str:
        namespace = self.served[0].exposer.config.namespace
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "no such host or port"
        concerns_port = isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES)
        remedy = "choose another path"
        if self.path is None:
            alternative = (
                f"port with --port {namespace}=PORT, 0 for any free port" if concerns_port else "address with --address"
            )
            remedy = f"choose another {alternative}"
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            remedy = "raise the limit of open files (ulimit -n), or let exposers share ports"
        key = "unixSocket" if self.path is not None else "port" if concerns_port else "address"
        return self._at(key, f"cannot listen on {self.name}: {reason}; {remedy}")


def _inode(path: str) -> tuple[int, int] | None:
    try:
        state = os.lstat(path)
    except OSError:
        return None
    return state.st_dev, state.st_ino


def _is_abandoned(path: str) -> bool:
    """Return whether a file is a Unix socket on which no process listens: its process was killed."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return False
    except OSError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False
