"""Accept the connections of HTTP listeners on sockets that are bound already."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from aiohttp import web

from .close_server import close_server
from .connections import Connections
from .handshake import TlsServer
from .protocol import ConnectionProtocol, RecordedConnectionProtocol
from .protocol_errors import HostServer


async def create_server(
    create: Callable[[], asyncio.BaseProtocol], listening: socket.socket, backlog: int
) -> asyncio.AbstractServer:
    """Accept connections on a bound socket, also a Unix socket, whose file stays."""
    loop = asyncio.get_running_loop()
    if listening.family in (socket.AF_INET, socket.AF_INET6):
        return await loop.create_server(create, sock=listening, backlog=backlog)
    # The endpoint removes the file, which other processes may share.
    options: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
    return await loop.create_unix_server(create, sock=listening, backlog=backlog, **options)


class ConnectionSite(web.BaseSite):
    """Accepts the connections of a runner on an open socket.

    `secure` returns the server for connections with TLS, whose protocols a function returns; None without TLS.
    """

    __slots__ = ("_build_protocol", "_connections", "_secure", "_socket", "tls_server")

    def __init__(
        self,
        runner: web.AppRunner,
        listening: socket.socket,
        connections: Connections,
        secure: Callable[[Callable[[], asyncio.BaseProtocol]], TlsServer | None],
    ) -> None:
        super().__init__(runner, backlog=connections.backlog)
        self._socket = listening
        self._connections = connections
        self._secure = secure
        self.tls_server: TlsServer | None = None

    @property
    def name(self) -> str:
        """The address of the socket."""
        return str(self._socket.getsockname())

    async def start(self) -> None:
        """Accept connections."""
        await super().start()
        loop = asyncio.get_running_loop()
        server = cast(HostServer, self._runner.server)

        self._build_protocol: Callable[[], ConnectionProtocol] = partial(
            ConnectionProtocol, self._connections, server, loop
        )
        if server.request_log is not None:
            self._build_protocol = partial(
                RecordedConnectionProtocol, self._connections, server, loop, server.request_log
            )
        self.tls_server = self._secure(self._build_protocol)
        if self.tls_server is None:
            self._server = await create_server(self._build_protocol, self._socket, self._backlog)
        else:
            self.tls_server.request_log = server.request_log
            self.tls_server.start(self._socket)

    async def stop(self) -> None:
        """Accept no new connections, but serve those that the kernel has accepted: closing the socket resets them."""
        if self.tls_server is not None:
            self.tls_server.close()
        if self._server is not None:
            await close_server(self._server, self._socket, self._build_protocol, self._backlog)
        await super().stop()
