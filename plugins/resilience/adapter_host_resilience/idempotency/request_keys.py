"""Idempotency keys of requests to APIs: the same one for all attempts of a call, and for a repeated call."""

from __future__ import annotations

from collections import Counter
from collections.abc import MutableMapping
from contextvars import ContextVar
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid4

from adapter_host import Arguments, ConsumedCall, Result

from .fingerprint import fingerprint

CALL_KEYS: Final[ContextVar[CallKeys | None]] = ContextVar("adapter_host_resilience_call_keys", default=None)
"""The source of the keys of requests in a call with an idempotency key of its caller."""

_REQUEST_KEY: Final[ContextVar[tuple[str, str] | None]] = ContextVar(
    "adapter_host_resilience_request_key", default=None
)


class CallKeys:
    """Derives keys of requests from the key of a caller; requests that differ have different keys."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._counts = Counter[str]()

    def next(self, operation: str, arguments: Arguments) -> str:
        """Return the key of the next request of an operation with these arguments."""
        request = fingerprint([self._place, operation, arguments])
        self._counts[request] += 1
        digest = sha256(f"{request}:{self._counts[request]}".encode()).digest()
        return str(UUID(bytes=digest[:16], version=5))


def add_key(call: ConsumedCall, header: str, name: str) -> ConsumedCall:
    """Wrap a call of the operation `name` to send a key in a header; `write_key` writes it."""

    async def keyed(arguments: Arguments, *, stream: bool = False) -> Result:
        keys = CALL_KEYS.get()
        key = str(uuid4()) if keys is None else keys.next(name, arguments)
        token = _REQUEST_KEY.set((header, key))
        try:
            return await call(arguments, stream=stream)
        finally:
            _REQUEST_KEY.reset(token)

    return keyed


def write_key(headers: MutableMapping[str, str]) -> None:
    """Write the key of the request in progress, unless an input of the operation has set it."""
    current = _REQUEST_KEY.get()
    if current is not None:
        headers.setdefault(*current)
