"""Content codings, undone piece by piece so that no answer can fill the memory."""

from __future__ import annotations

import zlib
from typing import Final

from adapter_host_http.transport.base import MalformedResponseError

_GZIP: Final = 16 + zlib.MAX_WBITS
_RAW: Final = -zlib.MAX_WBITS
_DEFLATED: Final = 8


class Decompressor:
    """Undoes `gzip` (RFC 1952), or `deflate` (RFC 1950; without its header too, as some servers send it)."""

    __slots__ = ("_decoder", "_gzip", "_input", "_output_full")

    def __init__(self, coding: bytes) -> None:
        if coding not in (b"gzip", b"x-gzip", b"deflate"):
            raise MalformedResponseError("an answer in a content coding that was not asked for")
        self._gzip = coding != b"deflate"
        self._decoder: zlib._Decompress | None = None
        self._input = b""
        self._output_full = False

    @property
    def pending(self) -> bool:
        """Whether there may be more without another byte from the wire."""
        return self._output_full or bool(self._input)

    def feed(self, data: bytes, limit: int) -> bytes:
        """At most so many bytes of what `data` and all before it hold; raises `MalformedResponseError`."""
        self._input += data
        pieces: list[bytes] = []
        remaining = limit
        while remaining and self.pending:
            piece = self._decompress_some(remaining)
            pieces.append(piece)
            remaining -= len(piece)
        return b"".join(pieces)

    def finish(self) -> None:
        """Check that the whole of it has come; raises `MalformedResponseError`."""
        if self._decoder is not None and not self._decoder.eof:
            raise MalformedResponseError("a compressed answer that is cut short")

    def _decompress_some(self, limit: int) -> bytes:
        decoder = self._decoder
        if decoder is None or (decoder.eof and self._gzip and self._input):
            # A file in this format may have several members.
            decoder = self._decoder = self._new_decoder(self._input)
        try:
            piece = decoder.decompress(self._input, limit)
        except zlib.error:
            raise MalformedResponseError("a compressed answer that cannot be unpacked") from None
        if decoder.eof and decoder.unused_data and not self._gzip:
            raise MalformedResponseError("a compressed answer with more behind it")
        self._input = decoder.unconsumed_tail or decoder.unused_data
        self._output_full = len(piece) == limit and not decoder.eof
        return piece

    def _new_decoder(self, data: bytes) -> zlib._Decompress:
        if self._gzip:
            return zlib.decompressobj(wbits=_GZIP)
        return zlib.decompressobj(wbits=zlib.MAX_WBITS if data[0] & 0x0F == _DEFLATED else _RAW)
