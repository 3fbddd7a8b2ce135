"""Responses of aiohttp, sent as messages to an ASGI server."""

from __future__ import annotations

import asyncio
import re
import zlib
from typing import Any, Final

from aiohttp import hdrs
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from .scope import Send

_DROPPED: Final = frozenset({"connection", "date", "keep-alive", "server", "transfer-encoding"})
"""Headers of the connection, and those that a server adds itself."""

_UNSAFE: Final = re.compile(r"[\r\n\x00]")
_WINDOW_BITS: Final = {"deflate": zlib.MAX_WBITS, "gzip": 16 + zlib.MAX_WBITS}


class AsgiTransport(asyncio.Transport):
    """The connection of a request as far as handlers use it: its addresses, and its end by `abort`."""

    def __init__(self, addresses: dict[str, Any]) -> None:
        super().__init__(addresses)
        self._is_closing = False

    @property
    def _sendfile_compatible(self) -> Any:
        # Makes aiohttp send files by the writer.
        raise NotImplementedError

    def is_closing(self) -> bool:
        """Return whether the response is aborted, or its client has gone."""
        return self._is_closing

    def abort(self) -> None:
        """Send nothing more; the server closes the connection if the response is not complete."""
        self._is_closing = True

    def close(self) -> None:
        """Do the same as `abort`."""
        self._is_closing = True

    def get_write_buffer_size(self) -> int:
        """Return 0: the server has the buffer."""
        return 0


class AsgiWriter(AbstractStreamWriter):
    """Sends one response; waits for the server while its client reads slowly, at most `timeout` seconds, 0 for ever."""

    def __init__(self, send: Send, transport: AsgiTransport, timeout: float, *, keeps_connections: bool) -> None:
        self._send = send
        self._transport = transport
        self._timeout = timeout or None
        self._keeps_connections = keeps_connections
        self._compressor: Any = None
        self.is_started = False
        self.is_complete = False

    async def write_headers(self, status_line: str, headers: CIMultiDict[str]) -> None:
        """Send the status and the headers."""
        fields = [
            (name.lower().encode("latin-1"), _checked(value).encode("utf-8", "surrogateescape"))
            for name, value in headers.items()
            if name.lower() not in _DROPPED
        ]
        if self._keeps_connections and headers.get(hdrs.CONNECTION, "").lower() == "close":
            fields.append((b"connection", b"close"))
        self.is_started = True
        status = int(status_line.split(" ", 2)[1])
        await self._deliver({"type": "http.response.start", "status": status, "headers": fields})

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Send a part of the body."""
        data = bytes(chunk)
        if self._compressor is not None:
            data = self._compressor.compress(data)
        if data:
            await self._deliver_body(data, more=True)

    async def write_eof(self, chunk: bytes = b"") -> None:
        """Send the last part of the body, unless it was sent before."""
        if self.is_complete:
            return
        data = bytes(chunk)
        if self._compressor is not None:
            data = self._compressor.compress(data) + self._compressor.flush()
        self.is_complete = True
        await self._deliver_body(data, more=False)

    async def _deliver_body(self, data: bytes, *, more: bool) -> None:
        self.output_size += len(data)
        await self._deliver({"type": "http.response.body", "body": data, "more_body": more})

    async def _deliver(self, message: dict[str, Any]) -> None:
        if self._transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        try:
            async with asyncio.timeout(self._timeout):
                await self._send(message)
        except TimeoutError:
            self._transport.abort()
            self.is_complete = False
            raise ConnectionResetError("the client does not read the response") from None

    async def drain(self) -> None:
        """Do nothing: every part waits for itself."""

    def enable_compression(self, encoding: str = "deflate", strategy: int | None = None) -> None:
        """Compress the body."""
        chosen = zlib.Z_DEFAULT_STRATEGY if strategy is None else strategy
        self._compressor = zlib.compressobj(wbits=_WINDOW_BITS[encoding], strategy=chosen)

    def enable_chunking(self) -> None:
        """Do nothing: the server frames the body."""


def _checked(value: str) -> str:
    if _UNSAFE.search(value):
        raise ValueError("a response header contains a line break or NUL")
    return value
