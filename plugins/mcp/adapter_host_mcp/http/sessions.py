"""Sessions of the revisions with a handshake: the client keeps what was agreed, sealed, in the session's id."""

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
"""Seconds for which an id tells anything; after that its requests are served as those without one."""


MAX_REMEMBERED: Final = 10_000
"""Sessions of which the process remembers that they ended, or the level of their log; the oldest are forgotten."""


_CACHE_SIZE: Final = 1000


_MAX_CAPABILITIES_SIZE: Final = 1000


_Value = TypeVar("_Value")


class SessionEndedError(Exception):
    """The client itself has ended this session."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a handshake agreed on; `id` is the same for every request of one client."""

    id: str
    version: str
    capabilities: Mapping[str, Any]
    expires: float


class Sessions:
    """Seals and opens sessions: any process with the same key opens what another has sealed."""

    def __init__(self, key: bytes) -> None:
        self._signer = Signer(hmac.digest(key, b"mcp session", "sha256"))
        self._cache: dict[str, Session | None] = {}
        self._ended: dict[str, None] = {}
        self._log_levels: dict[str, str] = {}

    def create(self, version: str, capabilities: Mapping[str, Any]) -> str:
        """The sealed id of a new session."""
        # Capabilities of a client's own invention may be of any size; no handler of the SDK asks for those.
        stored = (
            capabilities
            if len(orjson.dumps(capabilities)) <= _MAX_CAPABILITIES_SIZE
            else _standard_capabilities(capabilities)
        )
        members = [secrets.token_hex(8), version, stored, time.time() + LIFETIME]
        return self._signer.sign(orjson.dumps(members))

    def find(self, signed_id: str) -> Session | None:
        """The session of an id; None for one that is too old or of another key. Raises `EndedError`."""
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
        """Have every further request of this session refused."""
        self._log_levels.pop(session.id, None)
        _remember(self._ended, session.id, None, MAX_REMEMBERED)

    def log_level(self, session: Session | None) -> str | None:
        """The level that a client has set for its log, if any."""
        return self._log_levels.get(session.id) if session else None

    def set_log_level(self, session: Session, log_level: str) -> None:
        """Keep the level that a client asks for."""
        _remember(self._log_levels, session.id, log_level, MAX_REMEMBERED)


def _standard_capabilities(capabilities: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {} for name in ("sampling", "elicitation", "roots") if name in capabilities}


def _remember(memory: dict[str, _Value], key: str, value: _Value, max_size: int) -> None:
    if len(memory) >= max_size:
        memory.pop(next(iter(memory)), None)
    memory[key] = value


_DIGEST: Final = "sha256"


_MAC_SIZE: Final = 32
"""Bytes of the mark."""


class SignatureError(Exception):
    """The text is not one that was sealed with this key."""


class Signer:
    """Marks what is handed out, so that it is known when it comes back (HMAC, RFC 2104)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, content: bytes) -> str:
        """`content` with its mark, in characters that a header and a URL may have."""
        return urlsafe_b64encode(hmac.digest(self._key, content, _DIGEST) + content).rstrip(b"=").decode()

    def verify(self, signed: str) -> bytes:
        """What was sealed; raises `SealError`."""
        try:
            raw = urlsafe_b64decode(signed + "=" * (-len(signed) % 4))
        except (binascii.Error, ValueError):
            raise SignatureError from None
        mac, content = raw[:_MAC_SIZE], raw[_MAC_SIZE:]
        # Said in the very same letters too: what decodes to the same bytes is not yet the same text.
        if not hmac.compare_digest(mac, hmac.digest(self._key, content, _DIGEST)) or self.sign(content) != signed:
            raise SignatureError
        return content
