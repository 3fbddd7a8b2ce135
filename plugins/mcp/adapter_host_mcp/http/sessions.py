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

HEADER: Final = "Mcp-Session-Id"


LIFETIME: Final = 7 * 24 * 3600.0
"""Seconds for which an id tells anything; after that its requests are served as those without one."""


REMEMBERED: Final = 10_000
"""Sessions of which the process remembers that they ended, or the level of their log; the oldest are forgotten."""


_OPENED: Final = 1000


_LONGEST: Final = 1000


_Value = TypeVar("_Value")


class EndedError(Exception):
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
        self._seal = Seal(hmac.digest(key, b"mcp session", "sha256"))
        self._opened: dict[str, Session | None] = {}
        self._ended: dict[str, None] = {}
        self._levels: dict[str, str] = {}

    def begin(self, version: str, capabilities: Mapping[str, Any]) -> str:
        """Return the sealed id of a new session."""
        # Capabilities of a client's own invention may be of any size; no handler of the SDK asks for those.
        kept = capabilities if len(orjson.dumps(capabilities)) <= _LONGEST else _standard(capabilities)
        members = [secrets.token_hex(8), version, kept, time.time() + LIFETIME]
        return self._seal.seal(orjson.dumps(members))

    def find(self, sealed: str) -> Session | None:
        """Return the session of an id; None for one that is too old or of another key. Raises `EndedError`."""
        session = self._opened[sealed] if sealed in self._opened else self._open(sealed)
        if session is None or session.expires < time.time():
            return None
        if session.id in self._ended:
            raise EndedError
        return session

    def _open(self, sealed: str) -> Session | None:
        try:
            identity, version, capabilities, expires = orjson.loads(self._seal.unseal(sealed))
        except SealError:
            session = None
        else:
            session = Session(identity, version, capabilities, expires)
        _remember(self._opened, sealed, session, _OPENED)
        return session

    def end(self, session: Session) -> None:
        """Have every further request of this session refused."""
        self._levels.pop(session.id, None)
        _remember(self._ended, session.id, None, REMEMBERED)

    def level(self, session: Session | None) -> str | None:
        """Return the level that a client has set for its log, if any."""
        return self._levels.get(session.id) if session else None

    def set_level(self, session: Session, level: str) -> None:
        """Keep the level that a client asks for."""
        _remember(self._levels, session.id, level, REMEMBERED)


def _standard(capabilities: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {} for name in ("sampling", "elicitation", "roots") if name in capabilities}


def _remember(memory: dict[str, _Value], key: str, value: _Value, limit: int) -> None:
    if len(memory) >= limit:
        memory.pop(next(iter(memory)), None)
    memory[key] = value


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
        """Return the sealed content; raise `SealError`."""
        try:
            raw = urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        except (binascii.Error, ValueError):
            raise SealError from None
        mark, content = raw[:_MARK], raw[_MARK:]
        # Said in the very same letters too: what decodes to the same bytes is not yet the same text.
        if not hmac.compare_digest(mark, hmac.digest(self._key, content, _HASH)) or self.seal(content) != sealed:
            raise SealError
        return content
