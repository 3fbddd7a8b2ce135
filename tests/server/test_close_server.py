"""A connection that is accepted at the moment when its server closes."""

from __future__ import annotations

import asyncio
import socket

import pytest

from adapter_host.server.connection.close_server import close_server


class Closing(asyncio.Protocol):
    """Sends one byte, and closes the connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"!")
        transport.close()


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
async def test_a_connection_that_the_kernel_or_the_loop_has_accepted_is_served(turns: int) -> None:
    loop = asyncio.get_running_loop()
    listening = socket.create_server(("127.0.0.1", 0))
    server = await loop.create_server(Closing, sock=listening)
    with socket.create_connection(listening.getsockname()) as client:
        # In the first turn the loop accepts it; in the second one it would create the transport.
        for _ in range(turns):
            await asyncio.sleep(0)
        await close_server(server, listening, Closing, 10)
        client.setblocking(False)
        async with asyncio.timeout(20):
            assert await loop.sock_recv(client, 10) == b"!"
            assert await loop.sock_recv(client, 10) == b""
    assert not server.is_serving()
