"""The arguments of calls in records: whole, or as keyed hashes, which show equal values and nothing else."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from adapter_host import Arguments, encode_json

from .settings import AuditSettings

KEY_VARIABLE: Final = "ADAPTER_HOST_AUDIT_KEY"
"""Environment variable with the secret of the hashes; processes with the same secret have the same hashes."""

MIN_KEY_LENGTH: Final = 32

MAX_WHOLE: Final = 64 * 1024
"""Bytes of JSON of one argument that is recorded whole; a larger one is a hash."""


@cache
def random_key() -> bytes:
    """Return the key of this process and of the workers that it forks."""
    return secrets.token_bytes(MIN_KEY_LENGTH)


class ArgumentRecorder:
    """Returns what a record has of the arguments of a call."""

    def __init__(self, settings: AuditSettings, key: bytes) -> None:
        self._mode = settings.arguments
        self._allowed = frozenset(settings.allowed_arguments)
        self._key = key

    def record(self, arguments: Arguments) -> Mapping[str, Any]:
        """Return the arguments by name: values, or `{"hash": ...}` with 32 hexadecimal digits, or null."""
        return {str(name): self._value(name, value) for name, value in arguments.items()}

    def _value(self, name: str, value: Any) -> Any:
        is_whole = self._mode == "whole" or name in self._allowed
        if not is_whole and self._mode == "names":
            return None
        try:
            encoded = encode_json(value)
        except Exception:  # a stream, or another value that JSON does not have
            return {"type": type(value).__name__}
        if is_whole and len(encoded) <= MAX_WHOLE:
            return value
        return {"hash": hmac.digest(self._key, encoded, "sha256").hex()[:32]}
