"""A gRPC API on a free port, made by grpcio from `shop.proto`."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import grpc
from adapter_host.testing import Hold
from grpc_reflection.v1alpha import reflection

from .conftest import Stubs, generate

PROTO = Path(__file__).parent / "shop.proto"


@cache
def stubs() -> Stubs:
    """Return the code that grpcio generates."""
    return generate(PROTO.read_text(), "acme_shop", Path(tempfile.mkdtemp()))


class Abort(Exception):  # noqa: N818 (not an error of the test)
    """Ends a call with a status."""

    def __init__(self, code: grpc.StatusCode, text: str, trailers: Any = ()) -> None:
        self.code = code
        self.text = text
        self.trailers = trailers
        super().__init__(text)


class Shop:
    """The API, in threads of grpcio: `respond` replaces the response of `Echo`; `metadata` is that of the last call."""

    def __init__(self) -> None:
        self.respond: Callable[[Any], Awaitable[Any]] | None = None
        self.held: Hold | None = None
        self.metadata: Mapping[str, Any] = {}
        self.closed = threading.Event()
        self.url = ""
        self.relay = Relay()
        self._loop = asyncio.get_running_loop()

    async def _hold(self) -> None:
        if self.held is not None:
            await self.held({})

    def _wait(self) -> None:
        asyncio.run_coroutine_threadsafe(self._hold(), self._loop).result()

    async def _echo(self, request: Any) -> Any:
        await self._hold()
        return request if self.respond is None else await self.respond(request)

    def Echo(self, request: Any, context: Any) -> Any:  # noqa: N802 (a method of the service)
        self.metadata = dict(context.invocation_metadata())
        responding = asyncio.run_coroutine_threadsafe(self._echo(request), self._loop)
        if not context.add_callback(responding.cancel):
            # The call has ended already.
            responding.cancel()
        try:
            return responding.result()
        except Abort as abort:
            context.set_trailing_metadata(abort.trailers)
            context.abort(abort.code, abort.text)

    def Watch(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        if not context.add_callback(self.closed.set):
            self.closed.set()
        self._wait()
        for number in range(request.times):
            yield stubs().messages.Thing(id=number)
        if request.thing.nick == "wait":
            self.closed.wait()
        if request.thing.nick == "fail":
            context.abort(grpc.StatusCode.DATA_LOSS, "lost")

    def Clear(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._wait()
        return request

    def Upload(self, request: Any, context: Any) -> Any:  # noqa: N802
        raise NotImplementedError


class Relay:
    """Relays connections to a port, so that a test can cut them."""

    def __init__(self) -> None:
        self._open: set[asyncio.Transport] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int) -> int:
        """Listen on a free port, and return it."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Inbound(self._open, self._connecting, port), "127.0.0.1", 0)
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def stop(self) -> None:
        """Close the port, and all connections."""
        assert self._server is not None
        # asyncio forgets, and does not close, a connection whose server is closed before the next turn of the loop.
        for listening in self._server.sockets:
            asyncio.get_running_loop().remove_reader(listening.fileno())
        await asyncio.sleep(0)
        self._server.close()
        # Connections that are accepted in this moment are open in the next turns of the loop.
        for _ in range(8):
            self.cut()
            await asyncio.sleep(0)
        while self._open or self._connecting:
            self.cut()
            await asyncio.gather(*self._connecting, return_exceptions=True)
            await asyncio.sleep(0)

    def cut(self) -> None:
        """Abort all connections."""
        for transport in list(self._open):
            transport.abort()


class _Outbound(asyncio.Protocol):
    def __init__(self, connections: set[asyncio.Transport], peer: asyncio.Transport) -> None:
        self._connections = connections
        self._peer = peer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._own = transport
        self._connections.add(transport)

    def data_received(self, data: bytes) -> None:
        self._peer.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self._own)
        self._peer.close()


class _Inbound(asyncio.Protocol):
    def __init__(self, connections: set[asyncio.Transport], connecting: set[asyncio.Task[None]], port: int) -> None:
        self._connections = connections
        self._all_connecting = connecting
        self._port = port
        self._waiting = b""
        self._outbound: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._inbound = transport
        self._connections.add(transport)
        self._connecting = asyncio.ensure_future(self._connect())
        self._all_connecting.add(self._connecting)
        self._connecting.add_done_callback(self._all_connecting.discard)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        outbound, _ = await loop.create_connection(
            lambda: _Outbound(self._connections, self._inbound), "127.0.0.1", self._port
        )
        outbound.write(self._waiting)
        self._outbound = outbound

    def data_received(self, data: bytes) -> None:
        if self._outbound is None:
            self._waiting += data
        else:
            self._outbound.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self._inbound)
        self._connecting.cancel()
        if self._outbound is not None:
            self._outbound.close()


@asynccontextmanager
async def serving(*, reflects: bool = True, **credentials: Any) -> AsyncIterator[Shop]:
    """Serve the API; with `credentials`, over TLS."""
    shop = Shop()
    server = grpc.server(ThreadPoolExecutor(16))
    stubs().services.add_ShopServicer_to_server(shop, server)
    if reflects:
        stubs().services.add_OtherServicer_to_server(shop, server)
        names = ("acme.shop.v1.Shop", "acme.shop.v1.Other", reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
    if credentials:
        port = server.add_secure_port("localhost:0", grpc.ssl_server_credentials(**credentials))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    relayed = await shop.relay.start(port)
    host, scheme = ("localhost", "grpcs") if credentials else ("127.0.0.1", "grpc")
    shop.url = f"{scheme}://{host}:{relayed}"
    try:
        yield shop
    finally:
        await asyncio.to_thread(server.stop(None).wait)
        await shop.relay.stop()
