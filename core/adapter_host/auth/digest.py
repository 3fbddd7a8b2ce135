"""Digest authentication of callers (RFC 7616): SHA-256 and MD5, `qop=auth`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes, urlsplit

from .credentials import Credentials, Principal, Refusal, Verdict, credentials_of

if TYPE_CHECKING:
    from aiohttp import web

REALM: Final = "adapter-host"
NONCE_LIFETIME: Final = 300.0
"""For how many seconds a nonce may be used."""
NONCES: Final = 10_000
"""How many nonces in use are remembered; beyond that the oldest are no longer accepted."""
WINDOW: Final = 128
"""How far requests of one nonce may overtake each other."""

Hash = Callable[[bytes], str]

_PARAMETER: Final = re.compile(r'\s*([A-Za-z]+\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*(?:,|$)')
_COUNT: Final = re.compile(r"[0-9A-Fa-f]{8}")
_CLOCK_BYTES: Final = 8
_RANDOM_BYTES: Final = 8
_SEAL_BYTES: Final = 16


def _md5(text: bytes) -> str:
    # For clients that know nothing better; the flag lets it be where Python is kept from using it for security.
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


_HASHES: Final[Mapping[str, Hash]] = {"SHA-256": _sha256, "MD5": _md5}
"""By the name that a challenge gives them, the better first."""


class DigestCredentials(Credentials):
    """A user name and a password that is never sent; each answer to a challenge counts once."""

    kind = "digest"

    def __init__(self, username: bytes, password: bytes, clock: Callable[[], float] = time.time) -> None:
        self._username = username
        # Without either of them nobody is accepted.
        self._known = bool(username and password)
        account = b":".join((username, REALM.encode(), password))
        self._accounts = {name: digest(account) for name, digest in _HASHES.items()}
        self._principal = Principal(username.decode())
        self._nonces = Nonces(clock)

    def check(self, request: web.Request) -> Verdict:
        """Whether it answers a challenge of ours that was not answered with the same count before."""
        given = _parameters(credentials_of(request, "digest"))
        if given is None or not self._answers(given, request):
            return self._refusal("valid credentials are needed")
        if not self._nonces.take(given["nonce"], int(given["nc"], 16)):
            return self._refusal("the nonce is used up", stale=True)
        return self._principal

    def _answers(self, given: Mapping[str, str], request: web.Request) -> bool:
        """Whether it knows the password, and means this very request."""
        name = given.get("algorithm", "MD5").upper()
        well_formed = name in _HASHES and given.get("qop") == "auth" and _COUNT.fullmatch(given.get("nc", ""))
        if not (self._known and well_formed and given.get("cnonce") and given.get("nonce")):
            return False
        digest = _HASHES[name]
        action = digest(f"{request.method}:{given.get('uri', '')}".encode("utf-8", "surrogateescape"))
        asked = ":".join((self._accounts[name], given["nonce"], given["nc"], given["cnonce"], "auth", action))
        expected = digest(asked.encode("utf-8", "surrogateescape"))
        same_user = hmac.compare_digest(_username(given), self._username)
        same_answer = hmac.compare_digest(_bytes(given.get("response", "").lower()), expected.encode())
        return same_user and same_answer and _means(given.get("uri", ""), request)

    def _refusal(self, detail: str, *, stale: bool = False) -> Refusal:
        nonce, flag = self._nonces.new(), ", stale=true" if stale else ""
        challenges = (
            f'Digest realm="{REALM}", qop="auth", algorithm={name}, nonce="{nonce}", charset=UTF-8{flag}'
            for name in _HASHES
        )
        return Refusal(401, detail, tuple(challenges))


def _parameters(text: str) -> dict[str, str] | None:
    """The parameters of an Authorization header by name in lower case; None when it is not of that form."""
    found: dict[str, str] = {}
    end = 0
    while end < len(text):
        match = _PARAMETER.match(text, end)
        if match is None or match[1].lower() in found:
            return None
        found[match[1].lower()] = match[3] or re.sub(r"\\(.)", r"\1", match[2] or "")
        end = match.end()
    return found or None


def _username(given: Mapping[str, str]) -> bytes:
    extended = given.get("username*", "")
    charset, _, rest = extended.partition("'")
    if charset.upper() == "UTF-8":
        return unquote_to_bytes(rest.partition("'")[2])
    return _bytes(given.get("username", ""))


def _means(uri: str, request: web.Request) -> bool:
    """Whether an answer is for this request's target; a proxy may have made an absolute one relative."""
    if uri == request.raw_path:
        return True
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    relative = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return bool(parts.scheme) and relative == request.raw_path


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


class Nonces:
    """Nonces that say when they were made, under a seal: none is kept until somebody has answered it rightly."""

    def __init__(self, clock: Callable[[], float], limit: int = NONCES) -> None:
        # Made at build: processes that are forked later accept each other's.
        self._key = secrets.token_bytes(32)
        self._clock = clock
        self._limit = limit
        self._used: dict[str, _Counts] = {}
        self._not_before = 0.0

    def new(self) -> str:
        """A nonce for a challenge."""
        made = int(self._clock() * 1_000_000).to_bytes(_CLOCK_BYTES) + secrets.token_bytes(_RANDOM_BYTES)
        return base64.urlsafe_b64encode(made + self._seal(made)).decode()

    def take(self, nonce: str, count: int) -> bool:
        """Count an answer; False for a nonce that is not ours or too old, and for a count that was there before."""
        made_at = self._made_at(nonce)
        if made_at is None or not 0 <= self._clock() - made_at < NONCE_LIFETIME:
            return False
        if nonce not in self._used:
            if made_at <= self._not_before:
                return False
            self._make_room()
            self._used[nonce] = _Counts(made_at)
        return self._used[nonce].add(count)

    def _make_room(self) -> None:
        if len(self._used) < self._limit:
            return
        too_old = self._clock() - NONCE_LIFETIME
        by_age = sorted(self._used, key=lambda nonce: self._used[nonce].made_at)
        # A tenth at once, so that this is rare; what is forgotten and what is as old is never accepted again.
        for index, nonce in enumerate(by_age):
            if index > self._limit // 10 and self._used[nonce].made_at > too_old:
                break
            self._not_before = max(self._not_before, self._used.pop(nonce).made_at)

    def _made_at(self, nonce: str) -> float | None:
        try:
            raw = base64.b64decode(nonce, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        made, seal = raw[:-_SEAL_BYTES], raw[-_SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(made)):
            return None
        return int.from_bytes(made[:_CLOCK_BYTES]) / 1_000_000

    def _seal(self, made: bytes) -> bytes:
        return hmac.digest(self._key, made, "sha256")[:_SEAL_BYTES]


class _Counts:
    """Which counts of one nonce have been there: the highest, and those a window below it."""

    __slots__ = ("_highest", "_seen", "made_at")

    def __init__(self, made_at: float) -> None:
        self.made_at = made_at
        self._highest = 0
        self._seen = 0

    def add(self, count: int) -> bool:
        """Note a count; False when it was there before, or may have been."""
        if count > self._highest:
            # Shifted at most by the window: a count is the caller's own number.
            self._seen = (self._seen << min(count - self._highest, WINDOW)) & ((1 << WINDOW) - 1) | 1
            self._highest = count
            return True
        behind = self._highest - count
        if count < 1 or behind >= WINDOW or self._seen >> behind & 1:
            return False
        self._seen |= 1 << behind
        return True
