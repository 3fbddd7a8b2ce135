"""Digest authentication of clients (RFC 7616): SHA-256 and MD5, `qop=auth`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

from adapter_host.operation.callers import Principal
from adapter_host.plugin.access import Refusal, Verdict

from .credentials import CheckedRequest, Credentials, authorization_value, sent_bytes
from .shared_nonces import NONCE_LIFETIME, SharedNonces

REALM: Final = "adapter-host"
MAX_NONCES: Final = 10_000
"""The maximum number of remembered nonces; the oldest are evicted and rejected."""
REPLAY_WINDOW: Final = 128
"""How far the counts of one nonce may arrive out of order."""

Hash = Callable[[bytes], str]

_PARAMETER: Final = re.compile(r'\s*([A-Za-z]+\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*(?:,|$)')
_COUNT: Final = re.compile(r"[0-9A-Fa-f]{8}")
_TIMESTAMP_BYTES: Final = 8
_RANDOM_BYTES: Final = 8
_SIGNATURE_BYTES: Final = 16


def _md5(text: bytes) -> str:
    # For old clients; the flag allows MD5 where FIPS mode forbids it for security.
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


_HASHES: Final[Mapping[str, Hash]] = {"SHA-256": _sha256, "MD5": _md5}
"""The algorithms by their names in a challenge, the strongest first."""


class DigestCredentials(Credentials):
    """A user name and a password that is never sent; each response to a challenge is accepted once.

    While `shared` nonces cannot be counted, the nonces of challenges are accepted by this process only.
    """

    kind = "digest"

    def __init__(
        self,
        username: bytes,
        password: bytes,
        clock: Callable[[], float] = time.monotonic,
        shared: SharedNonces | None = None,
    ) -> None:
        self._username = username
        # Without a user name or a password, every request is rejected.
        self._has_secrets = bool(username and password)
        account = b":".join((username, REALM.encode(), password))
        self._accounts = {name: digest(account) for name, digest in _HASHES.items()}
        self._principal = Principal(username.decode())
        self._nonces = Nonces(clock)
        self._shared = shared

    def check(self, request: CheckedRequest) -> Verdict | Awaitable[Verdict]:
        """Return the client if its response to a challenge is valid and new."""
        parameters = _parameters(authorization_value(request, "digest"))
        if parameters is None or not self._is_valid(parameters, request):
            code = "invalid-credentials" if parameters else "missing-credentials"
            return self._refusal("valid credentials are required", code)
        nonce, count = parameters["nonce"], int(parameters["nc"], 16)
        if self._shared is not None and (created_at := self._shared.created_at(nonce)) is not None:
            return self._use_shared(self._shared, nonce, created_at, count)
        return self._verdict(is_new=self._nonces.use(nonce, count))

    async def _use_shared(self, nonces: SharedNonces, nonce: str, created_at: float, count: int) -> Verdict:
        return self._verdict(is_new=await nonces.use(nonce, created_at, count))

    def _verdict(self, *, is_new: bool) -> Verdict:
        if is_new:
            return self._principal
        return self._refusal("the nonce has expired or was used before", "stale-nonce", stale=True)

    def _is_valid(self, parameters: Mapping[str, str], request: CheckedRequest) -> bool:
        name = parameters.get("algorithm", "MD5").upper()
        well_formed = name in _HASHES and parameters.get("qop") == "auth" and _COUNT.fullmatch(parameters.get("nc", ""))
        if not (self._has_secrets and well_formed and parameters.get("cnonce") and parameters.get("nonce")):
            return False
        digest = _HASHES[name]
        request_digest = digest(sent_bytes(f"{request.method}:{parameters.get('uri', '')}"))
        message = ":".join(
            (self._accounts[name], parameters["nonce"], parameters["nc"], parameters["cnonce"], "auth", request_digest)
        )
        expected = digest(sent_bytes(message))
        same_user = hmac.compare_digest(_username(parameters), self._username)
        same_response = hmac.compare_digest(sent_bytes(parameters.get("response", "").lower()), expected.encode())
        return same_user and same_response and _is_for_target(parameters.get("uri", ""), request)

    def _refusal(self, detail: str, code: str, *, stale: bool = False) -> Refusal:
        nonces = self._shared if self._shared is not None and self._shared.available else self._nonces
        nonce, flag = nonces.new(), ", stale=true" if stale else ""
        challenges = (
            f'Digest realm="{REALM}", qop="auth", algorithm={name}, nonce="{nonce}", charset=UTF-8{flag}'
            for name in _HASHES
        )
        return Refusal(401, detail, tuple(challenges), code=code)


def _parameters(text: str) -> dict[str, str] | None:
    """Return the parameters of an Authorization header, by name in lower case; None when malformed."""
    parameters: dict[str, str] = {}
    end = 0
    while end < len(text):
        match = _PARAMETER.match(text, end)
        if match is None or match[1].lower() in parameters:
            return None
        parameters[match[1].lower()] = match[3] or re.sub(r"\\(.)", r"\1", match[2] or "")
        end = match.end()
    return parameters or None


def _username(parameters: Mapping[str, str]) -> bytes:
    extended = parameters.get("username*", "")
    charset, _, rest = extended.partition("'")
    if charset.upper() == "UTF-8":
        return unquote_to_bytes(rest.partition("'")[2])
    return sent_bytes(parameters.get("username", ""))


def _is_for_target(uri: str, request: CheckedRequest) -> bool:
    """Return whether `uri` is the request's target; a proxy may have made an absolute one relative."""
    if uri == request.raw_path:
        return True
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    relative = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return bool(parts.scheme) and relative == request.raw_path


class Nonces:
    """Signed nonces with a timestamp; a nonce is remembered only after a valid response."""

    def __init__(self, clock: Callable[[], float], limit: int = MAX_NONCES) -> None:
        # Created at build, so that forked workers, which share the clock too, accept each other's nonces.
        self._key = secrets.token_bytes(32)
        self._clock = clock
        self._limit = limit
        self._used: dict[str, _ReplayWindow] = {}
        self._not_before = 0.0

    def new(self) -> str:
        """Return a nonce for a challenge."""
        payload = int(self._clock() * 1_000_000).to_bytes(_TIMESTAMP_BYTES) + secrets.token_bytes(_RANDOM_BYTES)
        return base64.urlsafe_b64encode(payload + self._sign(payload)).decode()

    def use(self, nonce: str, count: int) -> bool:
        """Record a count of a nonce; return False for an invalid or expired nonce, or a count used before."""
        created_at = self._created_at(nonce)
        if created_at is None or not 0 <= self._clock() - created_at < NONCE_LIFETIME:
            return False
        if nonce not in self._used:
            if created_at <= self._not_before:
                return False
            self._evict()
            self._used[nonce] = _ReplayWindow(created_at)
        return self._used[nonce].add(count)

    def _evict(self) -> None:
        if len(self._used) < self._limit:
            return
        too_old = self._clock() - NONCE_LIFETIME
        by_age = sorted(self._used, key=lambda nonce: self._used[nonce].created_at)
        # Evict a tenth at once, so that this is rare; evicted nonces and those as old are never accepted again.
        for index, nonce in enumerate(by_age):
            if index > self._limit // 10 and self._used[nonce].created_at > too_old:
                break
            self._not_before = max(self._not_before, self._used.pop(nonce).created_at)

    def _created_at(self, nonce: str) -> float | None:
        try:
            raw = base64.b64decode(nonce, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        payload, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(payload)):
            return None
        return int.from_bytes(payload[:_TIMESTAMP_BYTES]) / 1_000_000

    def _sign(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, "sha256")[:_SIGNATURE_BYTES]


class _ReplayWindow:
    """The counts used with one nonce: the highest, and a bit field of the window below it."""

    __slots__ = ("_highest", "_seen", "created_at")

    def __init__(self, created_at: float) -> None:
        self.created_at = created_at
        self._highest = 0
        self._seen = 0

    def add(self, count: int) -> bool:
        """Record a count; return False when it was used before, or is older than the window."""
        if count > self._highest:
            # Limit the shift: the client chooses the count.
            self._seen = (self._seen << min(count - self._highest, REPLAY_WINDOW)) & ((1 << REPLAY_WINDOW) - 1) | 1
            self._highest = count
            return True
        distance = self._highest - count
        if count < 1 or distance >= REPLAY_WINDOW or self._seen >> distance & 1:
            return False
        self._seen |= 1 << distance
        return True
