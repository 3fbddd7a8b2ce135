"""The messages of gRPC within HTTP/2: each with its length, and perhaps compressed (gRPC over HTTP/2)."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from typing import Final

from adapter_host import ContentDecoder

PREFIX: Final = 5
"""Bytes before each message: whether it is compressed, and its length."""

ENCODINGS: Final = "identity,deflate,gzip"
"""The compressions that messages of clients may have."""

_LENGTH: Final = struct.Struct(">BI")


class MessageError(ValueError):
    """A message is malformed; the message says why."""


class MessageTooLargeError(ValueError):
    """A message is larger than the limit."""


class UnknownEncodingError(ValueError):
    """The compression of a message is unknown."""


def frame(message: bytes) -> bytes:
    """Return a message with its length, not compressed."""
    return _LENGTH.pack(0, len(message)) + message


class MessageReader:
    """Reads the messages of a request; at most `limit` bytes of one are held, as sent and as decompressed."""

    def __init__(self, receive: Callable[[], Awaitable[bytes]], encoding: str, limit: int) -> None:
        self._receive = receive
        self._encoding = encoding
        self._limit = limit
        self._buffer = bytearray()

    async def only(self) -> bytes:
        """Return the one message of a request; raise one of the errors of this module."""
        message = await self.next()
        if message is None:
            raise MessageError("the request has no message")
        if self._buffer or await self._receive():
            raise MessageError("the request has more than one message")
        return message

    async def next(self) -> bytes | None:
        """Return the next message, or None at the end; raise one of the errors of this module."""
        if not await self._fill(PREFIX):
            return None
        flag, size = _LENGTH.unpack_from(self._buffer)
        if flag > 1:
            raise MessageError("the first byte of the message is neither 0 nor 1")
        if size > self._limit:
            raise MessageTooLargeError(f"the message is larger than {self._limit} bytes")
        await self._fill(PREFIX + size)
        message = bytes(memoryview(self._buffer)[PREFIX : PREFIX + size])
        del self._buffer[: PREFIX + size]
        return await self._decompress(message) if flag else message

    async def _fill(self, size: int) -> bool:
        """Hold at least so many bytes; return False at the end of the request."""
        while len(self._buffer) < size:
            piece = await self._receive()
            if not piece:
                if self._buffer:
                    raise MessageError("the message is truncated")
                return False
            self._buffer += piece
        return True

    async def _decompress(self, message: bytes) -> bytes:
        if self._encoding in ("", "identity"):
            raise MessageError("the message is compressed, but 'grpc-encoding' does not say how")
        if self._encoding not in ContentDecoder.CODINGS:
            name = self._encoding[:32]
            raise UnknownEncodingError(f"the compression '{name}' is not supported (supported: {ENCODINGS})")
        decoder = ContentDecoder(
            self._encoding, lambda reason: MessageError(f"the message has compressed data {reason}")
        )
        plain = await decoder.decode_whole(message, self._limit)
        if plain is None:
            raise MessageTooLargeError(f"the message is larger than {self._limit} bytes when it is decompressed")
        return plain
