"""A streamed request body."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Protocol

from adapter_host_http.transport.base import TransportError

if TYPE_CHECKING:
    from .response import NativeResponse


class UploadConnection(Protocol):
    """The methods of a connection that an upload calls."""

    def fail(self, response: NativeResponse, error: Exception) -> None:
        """Fail the response to the request."""

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""

    async def drain(self) -> None:
        """Wait until the write buffer has room."""


class Upload:
    """Sends a body in pieces, chunked or with its declared length.

    Errors of reading the body fail the call unchanged.
    """

    def __init__(self, body: AsyncIterable[bytes], response: NativeResponse, length: int | None) -> None:
        self.done = False
        self._body = body
        self._response = response
        self._remaining = length
        self._task: asyncio.Task[None] | None = None

    def start(self, connection: UploadConnection) -> None:
        self._task = asyncio.create_task(self._run(connection))

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self, connection: UploadConnection) -> None:
        try:
            await self._send(connection)
        # The caller, who supplies the body, waits for the response and gets its own error.
        except Exception as error:
            connection.fail(self._response, error)

    async def _send(self, connection: UploadConnection) -> None:
        pieces = aiter(self._body)
        while True:
            self._response.suspend_deadline()
            piece = await anext(pieces, None)
            self._response.restart_deadline()
            if piece is None:
                break
            if piece:
                connection.write(self._frame(piece))
                self.done = self._remaining == 0
                await connection.drain()
        if self._remaining is None:
            connection.write(b"0\r\n\r\n")
        elif self._remaining:
            raise TransportError("the request body is shorter than its Content-Length")
        self.done = True

    def _frame(self, piece: bytes) -> bytes:
        if self._remaining is None:
            return b"%x\r\n%b\r\n" % (len(piece), piece)
        self._remaining -= len(piece)
        if self._remaining < 0:
            raise TransportError("the request body is longer than its Content-Length")
        return piece
