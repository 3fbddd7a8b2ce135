"""Close a server without losing a connection that the event loop has just accepted."""

from __future__ import annotations

import asyncio
import socket
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import Callable, Iterator
from typing import Any


async def pause_server(server: asyncio.AbstractServer) -> None:
    """Let the event loop accept no more connections of a server that will be closed.

    asyncio creates the transport of an accepted connection in the next turn of its loop. If the server is closed in
    between, the transport is neither served nor closed, and the client waits until it is garbage collected.
    """
    _stop_reading(server)
    await asyncio.sleep(0)


def _stop_reading(server: asyncio.AbstractServer) -> None:
    loop = asyncio.get_running_loop()
    if isinstance(loop, BaseSelectorEventLoop) and isinstance(server, asyncio.Server):
        for listening in server.sockets:
            loop.remove_reader(listening.fileno())


async def close_server(
    server: asyncio.AbstractServer, listening: socket.socket, create: Callable[[], asyncio.BaseProtocol], limit: int
) -> None:
    """Accept no new connections on `listening`, and close the sockets of its server; open connections continue.

    Those that the kernel has accepted, at most `limit`, are served by protocols that `create` returns.
    """
    await pause_server(server)
    loop = asyncio.get_running_loop()
    for connection, _ in accept_waiting(listening, limit):
        await loop.connect_accepted_socket(create, connection)
    server.close()


def close_server_soon(server: asyncio.AbstractServer) -> None:
    """Accept no new connections, and close the sockets of a server in the next turn of the event loop."""
    _stop_reading(server)
    asyncio.get_running_loop().call_soon(server.close)


def accept_waiting(listening: socket.socket, limit: int) -> Iterator[tuple[socket.socket, Any]]:
    """Yield the connections that the kernel has accepted, with the addresses of their peers.

    Closing the socket would reset them.
    """
    for _ in range(limit):
        try:
            connection, peer = listening.accept()
        except OSError:
            return
        connection.setblocking(False)
        yield connection, peer
