"""A connection that is accepted at the moment when its server closes."""

from __future__ import annotations

import asyncio
import socket

from adapter_host.server.connection.close_server import close_server


class Closing(asyncio.Protocol):
    """Sends one byte, and closes the connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"!")
        transport.close()


async def test_a_connection_accepted_in_the_same_turn_is_served() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Closing, "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()) as client:
        # In the first turn the loop accepts it; in the second one it would create the transport.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await close_server(server)
        client.setblocking(False)
        async with asyncio.timeout(20):
            assert await loop.sock_recv(client, 10) == b"!"
            assert await loop.sock_recv(client, 10) == b""
    assert not server.is_serving()
