"""Sessions of the handshake revisions. The state of a session is in its id, signed and stored by the client."""

from __future__ import annotations

import binascii
import hmac
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import orjson

SESSION_HEADER: Final = "Mcp-Session-Id"


LIFETIME: Final = 7 * 24 * 3600.0
"""Seconds until a session id expires; requests with an expired id are served as requests without one."""


MAX_REMEMBERED: Final = 10_000
"""Maximum number of deleted sessions, and of log levels, in memory; the oldest are dropped."""


_CACHE_SIZE: Final = 1000


_MAX_CAPABILITIES_SIZE: Final = 1000


_Value = TypeVar("_Value")


class SessionEndedError(Exception):
    """The client has deleted this session."""


@dataclass(frozen=True, slots=True)
class Session:
    """The result of a handshake; `id` identifies the client."""

    id: str
    version: str
    capabilities: Mapping[str, Any]
    expires: float


class Sessions:
    """Signs and verifies session ids, which are valid in all processes with the same key."""

    def __init__(self, key: bytes) -> None:
        self._signer = Signer(hmac.digest(key, b"mcp session", "sha256"))
        self._cache: dict[str, Session | None] = {}
        self._ended: dict[str, None] = {}
        self._log_levels: dict[str, str] = {}

    def create(self, version: str, capabilities: Mapping[str, Any]) -> str:
        """Return the signed id of a new session."""
        # Non-standard capabilities may have any size, and no handler of the SDK uses them.
        stored = (
            capabilities
            if len(orjson.dumps(capabilities)) <= _MAX_CAPABILITIES_SIZE
            else _standard_capabilities(capabilities)
        )
        members = [secrets.token_hex(8), version, stored, time.time() + LIFETIME]
        return self._signer.sign(orjson.dumps(members))

    def find(self, signed_id: str) -> Session | None:
        """Return the session of an id, or None for an invalid or expired id; raise `SessionEndedError`."""
        session = self._cache[signed_id] if signed_id in self._cache else self._verify(signed_id)
        if session is None or session.expires < time.time():
            return None
        if session.id in self._ended:
            raise SessionEndedError
        return session

    def _verify(self, signed_id: str) -> Session | None:
        try:
            session_id, version, capabilities, expires = orjson.loads(self._signer.verify(signed_id))
        except SignatureError:
            session = None
        else:
            session = Session(session_id, version, capabilities, expires)
        _remember(self._cache, signed_id, session, _CACHE_SIZE)
        return session

    def end(self, session: Session) -> None:
        """Mark a session as deleted: its further requests are rejected."""
        self._log_levels.pop(session.id, None)
        _remember(self._ended, session.id, None, MAX_REMEMBERED)

    def log_level(self, session: Session | None) -> str | None:
        """Return the log level that the client has set, if any."""
        return self._log_levels.get(session.id) if session else None

    def set_log_level(self, session: Session, log_level: str) -> None:
        """Store the log level of a client."""
        _remember(self._log_levels, session.id, log_level, MAX_REMEMBERED)


def _standard_capabilities(capabilities: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {} for name in ("sampling", "elicitation", "roots") if name in capabilities}


def _remember(memory: dict[str, _Value], key: str, value: _Value, max_size: int) -> None:
    if len(memory) >= max_size:
        memory.pop(next(iter(memory)), None)
    memory[key] = value


_DIGEST: Final = "sha256"


_MAC_SIZE: Final = 32
"""Bytes of the message authentication code."""


class SignatureError(Exception):
    """The text was not signed with this key."""


class Signer:
    """Signs content with HMAC-SHA-256 (RFC 2104)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, content: bytes) -> str:
        """Return the signature and content in URL-safe base64."""
        return urlsafe_b64encode(hmac.digest(self._key, content, _DIGEST) + content).rstrip(b"=").decode()

    def verify(self, signed: str) -> bytes:
        """Return the signed content; raise `SignatureError`."""
        try:
            raw = urlsafe_b64decode(signed + "=" * (-len(signed) % 4))
        except (binascii.Error, ValueError):
            raise SignatureError from None
        mac, content = raw[:_MAC_SIZE], raw[_MAC_SIZE:]
        # Compare the text as well: base64 decoding ignores some characters.
        if not hmac.compare_digest(mac, hmac.digest(self._key, content, _DIGEST)) or self.sign(content) != signed:
            raise SignatureError
        return content
