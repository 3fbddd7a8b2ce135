"""A forward proxy on the loopback: CONNECT, absolute-form and SOCKS5, which records what passes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from yarl import URL

_REPLY = b"\x05%c\x00\x01\x7f\x00\x00\x01\x00\x00"


@dataclass
class ForwardProxy:
    """The proxy: the targets, credentials and certificates that it received, and everything sent through it.

    All host names lead to 127.0.0.1. With `status`, or `refusal` of SOCKS, it refuses every request.
    """

    socks: bool = False
    port: int = 0
    status: int = 0
    refusal: int = 0
    targets: list[str] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    certificates: list[object] = field(default_factory=list)
    passed: bytearray = field(default_factory=bytearray)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.certificates.append(writer.get_extra_info("peercert"))
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await (self._socks(reader, writer) if self.socks else self._http(reader, writer))
        finally:
            writer.transport.abort()

    async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        lines = head.decode().split("\r\n")
        method, target, _ = lines[0].split(" ")
        self.targets.append(target)
        secret = [line.partition(": ")[2] for line in lines if line.lower().startswith("proxy-authorization:")]
        self.credentials += secret
        if self.status:
            writer.write(f"HTTP/1.1 {self.status} No\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            return
        if method == "CONNECT":
            upstream = await asyncio.open_connection("127.0.0.1", int(target.rpartition(":")[2]))
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            url = URL(target, encoded=True)
            upstream = await asyncio.open_connection("127.0.0.1", url.port)
            kept = [line for line in lines[1:] if not line.lower().startswith("proxy-")]
            upstream[1].write("\r\n".join([f"{method} {url.raw_path_qs} HTTP/1.1", *kept]).encode())
        await self._relay(reader, writer, *upstream)

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        methods = await reader.readexactly((await reader.readexactly(2))[1])
        if 2 in methods:
            writer.write(b"\x05\x02")
            user = await reader.readexactly((await reader.readexactly(2))[1])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            self.credentials.append(f"{user.decode()}:{password.decode()}")
            writer.write(b"\x01\x00")
        else:
            writer.write(b"\x05\x00")
        kind = (await reader.readexactly(4))[3]
        host = await reader.readexactly((await reader.readexactly(1))[0] if kind == 3 else 4)
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.targets.append(f"{host.decode() if kind == 3 else '.'.join(map(str, host))}:{port}")
        writer.write(_REPLY % self.refusal)
        if not self.refusal:
            await self._relay(reader, writer, *await asyncio.open_connection("127.0.0.1", port))

    async def _relay(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        upstream_reader: asyncio.StreamReader,
        upstream_writer: asyncio.StreamWriter,
    ) -> None:
        async def forward() -> None:
            while data := await reader.read(2**16):
                self.passed += data
                upstream_writer.write(data)

        forwarding = asyncio.create_task(forward())
        try:
            while data := await upstream_reader.read(2**16):
                writer.write(data)
                await writer.drain()
        finally:
            upstream_writer.transport.abort()
            forwarding.cancel()
            await asyncio.gather(forwarding, return_exceptions=True)


@asynccontextmanager
async def forward_proxy(*, socks: bool = False, context: ssl.SSLContext | None = None) -> AsyncIterator[ForwardProxy]:
    """Run a proxy on a free port; with `context`, clients connect to it over TLS."""
    proxy = ForwardProxy(socks)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(proxy.serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
        # The aborted connections close.
        for _ in range(4):
            await asyncio.sleep(0)
