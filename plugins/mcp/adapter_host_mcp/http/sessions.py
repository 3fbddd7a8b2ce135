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


_DIGEST: Final = "sha256"


_OWNER_TAG_SIZE: Final = 16
"""Bytes of the message authentication code of an owner."""


_Key = TypeVar("_Key")


_Value = TypeVar("_Value")


class UnknownSessionError(Exception):
    """The client has deleted this session, or another principal has opened it."""


@dataclass(frozen=True, slots=True)
class Session:
    """The result of a handshake; `id` identifies the client."""

    id: str
    version: str
    capabilities: Mapping[str, Any]
    expires: float


class Sessions:
    """Signs and verifies session ids, which are valid in all processes with the same key.

    A session belongs to its `owner`, the identity of the principal that opened it; empty without authentication.
    """

    def __init__(self, key: bytes) -> None:
        # The label names the layout of the content: ids of another layout are invalid.
        self._signer = Signer(hmac.digest(key, b"mcp session with owner", _DIGEST))
        self._owner_key = hmac.digest(key, b"mcp session owner", _DIGEST)
        self._cache: dict[tuple[str, str], Session | None] = {}
        self._ended: dict[str, None] = {}
        self._log_levels: dict[str, str] = {}

    def create(self, version: str, capabilities: Mapping[str, Any], owner: str) -> str:
        """Return the signed id of a new session."""
        # Non-standard capabilities may have any size, and no handler of the SDK uses them.
        stored = (
            capabilities
            if len(orjson.dumps(capabilities)) <= _MAX_CAPABILITIES_SIZE
            else _standard_capabilities(capabilities)
        )
        session_id = secrets.token_hex(8)
        # The wall clock, as ids are valid after a restart and in processes on other machines.
        members = [session_id, version, stored, time.time() + LIFETIME, self._owner_tag(session_id, owner)]
        return self._signer.sign(orjson.dumps(members))

    def find(self, signed_id: str, owner: str) -> Session | None:
        """Return the session of an id, or None for an invalid or expired id; raise `UnknownSessionError`."""
        key = (signed_id, owner)
        session = self._cache[key] if key in self._cache else self._verify(key)
        if session is None or session.expires < time.time():
            return None
        if session.id in self._ended:
            raise UnknownSessionError
        return session

    def _verify(self, key: tuple[str, str]) -> Session | None:
        signed_id, owner = key
        try:
            session_id, version, capabilities, expires, owner_tag = orjson.loads(self._signer.verify(signed_id))
        except SignatureError:
            session = None
        else:
            if not hmac.compare_digest(owner_tag, self._owner_tag(session_id, owner)):
                raise UnknownSessionError
            session = Session(session_id, version, capabilities, expires)
        _remember(self._cache, key, session, _CACHE_SIZE)
        return session

    def _owner_tag(self, session_id: str, owner: str) -> str:
        # Keyed and different in each session, as clients and proxies can read it in the id.
        return hmac.digest(self._owner_key, f"{session_id} {owner}".encode(), _DIGEST)[:_OWNER_TAG_SIZE].hex()

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


def _remember(memory: dict[_Key, _Value], key: _Key, value: _Value, max_size: int) -> None:
    if len(memory) >= max_size:
        memory.pop(next(iter(memory)), None)
    memory[key] = value


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
