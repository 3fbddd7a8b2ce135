"""A request's body on its way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Protocol

from adapter_host_http.transport.base import TransportError

if TYPE_CHECKING:
    from .response import NativeResponse


class UploadConnection(Protocol):
    """What an upload asks of the connection that it is sent on."""

    def fail(self, response: NativeResponse, error: Exception) -> None:
        """End the response to the request with an error."""

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""

    async def drain(self) -> None:
        """Wait until the connection can take more."""


class Upload:
    """Sends a body piece by piece: in chunks, or as long as was said. What reading it raises ends the call as it is."""

    def __init__(self, body: AsyncIterable[bytes], response: NativeResponse, length: int | None) -> None:
        self.done = False
        self._body = body
        self._response = response
        self._remaining = length
        self._task: asyncio.Task[None] | None = None

    def start(self, connection: UploadConnection) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._run(connection))

    def stop(self) -> None:
        """Send no more."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self, connection: UploadConnection) -> None:
        try:
            await self._send(connection)
        # Whoever gives the body knows its own errors, and waits for the answer.
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
            raise TransportError("the request's body is shorter than was said")
        self.done = True

    def _frame(self, piece: bytes) -> bytes:
        if self._remaining is None:
            return b"%x\r\n%b\r\n" % (len(piece), piece)
        self._remaining -= len(piece)
        if self._remaining < 0:
            raise TransportError("the request's body is longer than was said")
        return piece
