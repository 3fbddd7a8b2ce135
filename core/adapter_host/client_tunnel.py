"""Tunnels through proxies, for clients that know no proxies of their own."""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from .client_proxy import ClientProxy
from .connections import client_tls_context

_log = logging.getLogger("adapter_host")

_BACKLOG: Final = 128
_PIECE: Final = 2**16


class ClientTunnel:
    """A Unix socket that only this user can open; each connection to it leads through a proxy to one host and port.

    The proxy resolves the host name. A connection that the proxy refuses is closed at once; `failure` is the reason of
    the last one, until another one succeeds. `timeout` limits the way through the proxy, in seconds. The library
    `python-socks` is needed.
    """

    def __init__(self, proxy: ClientProxy, host: str, port: int, timeout: float) -> None:
        self.proxy = proxy
        self.failure = ""
        self._target = (host, port)
        self._timeout = timeout
        self._folder = ""
        self._listening: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def path(self) -> str:
        """The path of the socket, once started."""
        return str(Path(self._folder) / "tunnel")

    def start(self) -> None:
        """Accept connections."""
        self._folder = tempfile.mkdtemp(prefix="adapter-host-")
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(self.path)
        self._listening.listen(_BACKLOG)
        self._listening.setblocking(False)
        asyncio.get_running_loop().add_reader(self._listening, self._accept, self._listening)

    async def stop(self) -> None:
        """Close the socket and all connections."""
        listening, self._listening = self._listening, None
        if listening is None:
            return
        asyncio.get_running_loop().remove_reader(listening)
        listening.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        # The last connection begins in the next turn of the event loop; a task that never began would not close it.
        await asyncio.sleep(0)
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _accept(self, listening: socket.socket) -> None:
        try:
            accepted, _ = listening.accept()
        except OSError as error:
            _log.debug("no connection to the proxy '%s': %s", self.proxy.label, error)
            return
        accepted.setblocking(False)
        task = asyncio.get_running_loop().create_task(self._serve(accepted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, accepted: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=accepted)
        try:
            stream = await self._connect()
            if stream is not None:
                await _relay(reader, writer, stream)
        finally:
            writer.transport.abort()
            # The event loop closes it in the next turn.
            await asyncio.sleep(0)

    async def _connect(self) -> Any:
        """Return a stream to the target, or None after noting why there is none."""
        # Imported late: few documents have a proxy, and the library is optional.
        from python_socks import ProxyError, ProxyType
        from python_socks.async_.asyncio.v2 import Proxy

        url, is_socks = self.proxy.url, self.proxy.is_socks
        kind = ProxyType.SOCKS5 if is_socks else ProxyType.HTTP
        tls = client_tls_context() if url.scheme == "https" else None
        proxy = Proxy(kind, url.host or "", url.port or 0, url.user, url.password, rdns=is_socks or None, proxy_ssl=tls)
        try:
            stream = await proxy.connect(*self._target, timeout=self._timeout)
        except (ProxyError, OSError) as error:
            code = getattr(error, "error_code", None)
            said = f"refused the connection with code {code}" if is_socks else f"responded with status {code}"
            self.failure = "there is no connection to the proxy" if code is None else f"the proxy {said}"
            _log.debug("no connection through the proxy '%s': %s", self.proxy.label, error)
            return None
        self.failure = ""
        return stream


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: Any) -> None:
    """Forward data both ways until one side ends."""

    async def respond(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    directions = [
        asyncio.create_task(_forward(partial(reader.read, _PIECE), stream.write)),
        asyncio.create_task(_forward(partial(stream.read, _PIECE), respond)),
    ]
    try:
        await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for direction in directions:
            direction.cancel()
        await asyncio.gather(*directions, return_exceptions=True)
        with suppress(OSError):
            await stream.close()


async def _forward(read: Callable[[], Awaitable[bytes]], write: Callable[[bytes], Awaitable[None]]) -> None:
    with suppress(OSError):
        while data := await read():
            await write(data)
