"""Digests of arguments."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any


def fingerprint(value: Any) -> str:
    """Return a digest of plain data, whose order of keys does not matter, and of bytes in it."""
    return sha256(json.dumps(value, default=_digest_of_bytes, sort_keys=True).encode()).hexdigest()


def _digest_of_bytes(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return {"sha256": sha256(value).hexdigest()}
    raise TypeError(f"{type(value).__name__} is no argument of a call")
