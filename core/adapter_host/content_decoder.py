"""Decode content codings in pieces: in linear time, with bounded memory, and large bodies off the event loop."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final

INLINE_LIMIT: Final = 64 * 1024
"""Bytes of input, and of output, that are decoded in the event loop after each arrival of data."""

PIECE_LIMIT: Final = 1024 * 1024
"""Bytes of input, and of output, that a thread decodes before the event loop can stop it."""

OVERHEAD_LIMIT: Final = 64 * 1024
"""Bytes of input without output that are accepted, plus 16 for each byte of output."""

_MEMBERS: Final = 64
"""Members of gzip data that are decoded in the event loop after each arrival of data."""

_FIRST_WINDOW: Final = 64
_WINDOW: Final = 64 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS
_RAW: Final = -zlib.MAX_WBITS
_DEFLATED: Final = 8


@cache
def _threads() -> ThreadPoolExecutor:
    # Not the default executor: its threads may be busy for long. A piece takes milliseconds.
    return ThreadPoolExecutor(2, "adapter-host-decode")


class ContentDecoder:
    """Decodes `gzip` (RFC 1952) and `deflate` (RFC 1950; also without its header, as some peers send it).

    `make_error` returns the error to raise for a reason, such as "that is truncated".
    """

    CODINGS: Final = frozenset({"deflate", "gzip", "x-gzip"})

    __slots__ = (
        "_decoder",
        "_fresh",
        "_gzip",
        "_input",
        "_make_error",
        "_output_full",
        "_position",
        "_read",
        "_window",
        "_written",
    )

    def __init__(self, coding: str, make_error: Callable[[str], Exception]) -> None:
        if coding not in self.CODINGS:
            raise ValueError(f"unknown content coding {coding!r}; use one of CODINGS")
        self._make_error = make_error
        self._gzip = coding != "deflate"
        self._decoder: zlib._Decompress | None = None
        self._input = b""
        self._position = 0
        self._window = _WINDOW
        self._output_full = False
        self._fresh = False
        self._read = self._written = 0

    @property
    def pending(self) -> bool:
        """Return whether there may be output without more input."""
        return self._output_full or self._position < len(self._input)

    def feed(self, data: bytes) -> None:
        """Add input."""
        if data:
            self._input = self._input[self._position :] + data
            self._position = 0
            self._fresh = True

    async def decode(self, limit: int) -> bytes:
        """Return at most `limit` bytes of output, possibly none; raise the error for malformed input.

        After an arrival of data a small piece is decoded at once; what is left is decoded in a thread.
        """
        if self._fresh:
            self._fresh = False
            return self._decode(min(limit, INLINE_LIMIT), INLINE_LIMIT, _MEMBERS)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            _threads(), self._decode, min(limit, PIECE_LIMIT), PIECE_LIMIT, PIECE_LIMIT // INLINE_LIMIT * _MEMBERS
        )

    async def decode_whole(self, data: bytes, limit: int) -> bytes | None:
        """Return the output of complete input, or None as soon as it exceeds `limit` bytes."""
        self.feed(data)
        pieces: list[bytes] = []
        left = limit + 1
        while self.pending:
            pieces.append(await self.decode(left))
            left -= len(pieces[-1])
            if not left:
                return None
        self.finish()
        return b"".join(pieces)

    def finish(self) -> None:
        """Raise an error if the input is incomplete."""
        if self._decoder is not None and not self._decoder.eof:
            raise self._make_error("that is truncated")

    def _decode(self, limit: int, input_limit: int, members: int) -> bytes:
        pieces: list[bytes] = []
        end = self._read + input_limit
        while limit and members and self._read < end and self.pending:
            piece = self._decode_window(limit)
            pieces.append(piece)
            limit -= len(piece)
            members -= self._decoder is not None and self._decoder.eof
            if self._read > OVERHEAD_LIMIT + 16 * self._written:
                raise self._make_error("with too little content")
        return b"".join(pieces)

    def _decode_window(self, limit: int) -> bytes:
        decoder = self._decoder
        if decoder is None:
            decoder = self._decoder = self._new_decoder()
        elif decoder.eof and self._gzip:
            # gzip data may have several members (RFC 1952, 2.2). zlib copies the input after each, so that it gets
            # little at first.
            decoder = self._decoder = self._new_decoder()
            self._window = _FIRST_WINDOW
        window = memoryview(self._input)[self._position : self._position + self._window]
        self._window = min(2 * self._window, _WINDOW)
        try:
            piece = decoder.decompress(window, limit)
        except zlib.error:
            raise self._make_error("that cannot be decoded") from None
        if decoder.eof and not self._gzip and (decoder.unused_data or self._position + len(window) < len(self._input)):
            raise self._make_error("with data after its end")
        consumed = len(window) - len(decoder.unconsumed_tail or decoder.unused_data)
        self._position += consumed
        self._read += consumed
        self._written += len(piece)
        self._output_full = len(piece) == limit and not decoder.eof
        if self._position == len(self._input):
            self._input, self._position = b"", 0
        return piece

    def _new_decoder(self) -> zlib._Decompress:
        if self._gzip:
            return zlib.decompressobj(wbits=_GZIP)
        first = self._input[self._position]
        return zlib.decompressobj(wbits=zlib.MAX_WBITS if first & 0x0F == _DEFLATED else _RAW)
