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

    def fail(self, answer: NativeResponse, error: Exception) -> None:
        """End the response to the request with an error."""

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""

    async def drained(self) -> None:
        """Wait until the connection can take more."""


class Upload:
    """Sends a body piece by piece: in chunks, or as long as was said. What reading it raises ends the call as it is."""

    def __init__(self, body: AsyncIterable[bytes], answer: NativeResponse, length: int | None) -> None:
        self.done = False
        self._body = body
        self._answer = answer
        self._left = length
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
            connection.fail(self._answer, error)

    async def _send(self, connection: UploadConnection) -> None:
        pieces = aiter(self._body)
        while True:
            self._answer.suspend()
            piece = await anext(pieces, None)
            self._answer.renew()
            if piece is None:
                break
            if piece:
                connection.write(self._framed(piece))
                self.done = self._left == 0
                await connection.drained()
        if self._left is None:
            connection.write(b"0\r\n\r\n")
        elif self._left:
            raise TransportError("the request's body is shorter than was said")
        self.done = True

    def _framed(self, piece: bytes) -> bytes:
        if self._left is None:
            return b"%x\r\n%b\r\n" % (len(piece), piece)
        self._left -= len(piece)
        if self._left < 0:
            raise TransportError("the request's body is longer than was said")
        return piece
