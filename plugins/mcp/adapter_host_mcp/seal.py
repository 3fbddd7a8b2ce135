"""Sealed text: anybody may keep and read it, and nobody change it."""

from __future__ import annotations

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

_HASH: Final = "sha256"
_MARK: Final = 32
"""Bytes of the mark."""


class SealError(Exception):
    """The text is not one that was sealed with this key."""


class Seal:
    """Marks what is handed out, so that it is known when it comes back (HMAC, RFC 2104)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, content: bytes) -> str:
        """`content` with its mark, in characters that a header and a URL may have."""
        return urlsafe_b64encode(hmac.digest(self._key, content, _HASH) + content).rstrip(b"=").decode()

    def unseal(self, sealed: str) -> bytes:
        """What was sealed; raises `SealError`."""
        try:
            raw = urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        except (binascii.Error, ValueError):
            raise SealError from None
        mark, content = raw[:_MARK], raw[_MARK:]
        # Said in the very same letters too: what decodes to the same bytes is not yet the same text.
        if not hmac.compare_digest(mark, hmac.digest(self._key, content, _HASH)) or self.seal(content) != sealed:
            raise SealError
        return content
