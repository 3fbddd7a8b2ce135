"""Content codings of responses."""

from __future__ import annotations

from adapter_host import ContentDecoder

from .base import MalformedResponseError


def decoder_of(coding: str) -> ContentDecoder | None:
    """Return the decoder of a `Content-Encoding`, or None without one; raise `MalformedResponseError`."""
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return None
    if coding not in ContentDecoder.CODINGS:
        raise MalformedResponseError("a response in a content coding that was not requested")
    return ContentDecoder(coding, lambda reason: MalformedResponseError(f"a compressed response {reason}"))
