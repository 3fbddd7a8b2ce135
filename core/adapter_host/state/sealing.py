"""Sealing of secrets in the state store, which others may read: encryption, keyed digests and signatures."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

KEY: Final = "ADAPTER_HOST_STATE_KEY"
"""The environment variable with the keys."""

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_KEY_TEXT: Final = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_ADVICE: Final = "use at least 32 random bytes as base64 ('openssl rand -base64 32'), several separated by commas"


class Sealer:
    """Seals values of one purpose with the first key of a deployment, and opens those of all its keys.

    Values are encrypted with AES-256-GCM, whose keys are derived from those of the deployment and the purpose
    (HKDF-Expand, RFC 5869, with one block).
    """

    def __init__(self, keys: Sequence[bytes], purpose: str) -> None:
        self._keys = keys
        self._purpose = purpose

    def seal(self, value: bytes, place: str) -> bytes:
        """Encrypt a value; it can be opened only for the same place, such as the key in the store."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed: bytes = self._ciphers[0].encrypt(nonce, value, place.encode())
        return nonce + sealed

    def unseal(self, sealed: bytes, place: str) -> bytes | None:
        """Return the value; None if no key of the deployment has sealed it for this purpose and place."""
        invalid_tag = import_module("cryptography.exceptions").InvalidTag
        for cipher in self._ciphers:
            try:
                value: bytes = cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode())
            except (invalid_tag, ValueError):
                continue
            return value
        return None

    def sign(self, value: bytes) -> bytes:
        """Return a signature of 32 bytes, which is also a digest that nobody without the key can compute."""
        return hmac.digest(self._signing_keys[0], value, "sha256")

    def verify(self, value: bytes, signature: bytes) -> bool:
        """Return whether a key of the deployment has signed a value for this purpose."""
        return any(hmac.compare_digest(hmac.digest(key, value, "sha256"), signature) for key in self._signing_keys)

    @cached_property
    def _ciphers(self) -> Sequence[Any]:
        # Imported late: cryptography is slow to import and an optional dependency.
        cipher = import_module("cryptography.hazmat.primitives.ciphers.aead").AESGCM
        return [cipher(self._derive(key, "seal")) for key in self._keys]

    @cached_property
    def _signing_keys(self) -> Sequence[bytes]:
        return [self._derive(key, "sign") for key in self._keys]

    def _derive(self, key: bytes, use: str) -> bytes:
        return hmac.digest(key, f"adapter-host:{use}:{self._purpose}".encode() + b"\x01", "sha256")


class SealingKeys:
    """The keys of a deployment; the first one seals, all of them open."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = keys

    @classmethod
    def parse(cls, text: str) -> SealingKeys:
        """Parse the keys; raise `ValueError`, whose message has no part of a key."""
        if find_spec("cryptography") is None:
            raise ValueError("it needs the package cryptography; run pip install './core[seal]'")
        return cls([_parse_key(part.strip()) for part in text.split(",")])

    def sealer(self, purpose: str) -> Sealer:
        """Return the sealer of a purpose; values of others cannot be opened with it."""
        return Sealer(self._keys, purpose)


def _parse_key(text: str) -> bytes:
    if not _KEY_TEXT.fullmatch(text):
        raise ValueError(f"it is not base64; {_ADVICE}")
    try:
        key = base64.b64decode(text.translate({ord("-"): "+", ord("_"): "/"}), validate=True)
    except binascii.Error:
        raise ValueError(f"it is not base64; {_ADVICE}") from None
    if len(key) < _KEY_BYTES:
        raise ValueError(f"it has a key of {len(key)} bytes; {_ADVICE}")
    return key
