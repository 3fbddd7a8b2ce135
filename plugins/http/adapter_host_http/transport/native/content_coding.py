"""Decode content codings in pieces, so that no response can exhaust memory."""

from __future__ import annotations

import zlib
from typing import Final

from adapter_host_http.transport.base import MalformedResponseError

_GZIP: Final = 16 + zlib.MAX_WBITS
_RAW: Final = -zlib.MAX_WBITS
_DEFLATED: Final = 8


class Decompressor:
    """Decodes `gzip` (RFC 1952) and `deflate` (RFC 1950; also without its header, as some servers send it)."""

    __slots__ = ("_decoder", "_gzip", "_input", "_output_full")

    def __init__(self, coding: bytes) -> None:
        if coding not in (b"gzip", b"x-gzip", b"deflate"):
            raise MalformedResponseError("a response in a content coding that was not requested")
        self._gzip = coding != b"deflate"
        self._decoder: zlib._Decompress | None = None
        self._input = b""
        self._output_full = False

    @property
    def pending(self) -> bool:
        """Return whether there may be output without more input."""
        return self._output_full or bool(self._input)

    def feed(self, data: bytes, limit: int) -> bytes:
        """Add input and return at most `limit` bytes of output; raise `MalformedResponseError`."""
        self._input += data
        pieces: list[bytes] = []
        remaining = limit
        while remaining and self.pending:
            piece = self._decompress_some(remaining)
            pieces.append(piece)
            remaining -= len(piece)
        return b"".join(pieces)

    def finish(self) -> None:
        """Raise `MalformedResponseError` if the input is incomplete."""
        if self._decoder is not None and not self._decoder.eof:
            raise MalformedResponseError("a truncated compressed response")

    def _decompress_some(self, limit: int) -> bytes:
        decoder = self._decoder
        if decoder is None or (decoder.eof and self._gzip and self._input):
            # gzip data may have several members (RFC 1952, 2.2).
            decoder = self._decoder = self._new_decoder(self._input)
        try:
            piece = decoder.decompress(self._input, limit)
        except zlib.error:
            raise MalformedResponseError("a compressed response that cannot be decoded") from None
        if decoder.eof and decoder.unused_data and not self._gzip:
            raise MalformedResponseError("data after a compressed response")
        self._input = decoder.unconsumed_tail or decoder.unused_data
        self._output_full = len(piece) == limit and not decoder.eof
        return piece

    def _new_decoder(self, data: bytes) -> zlib._Decompress:
        if self._gzip:
            return zlib.decompressobj(wbits=_GZIP)
        return zlib.decompressobj(wbits=zlib.MAX_WBITS if data[0] & 0x0F == _DEFLATED else _RAW)
