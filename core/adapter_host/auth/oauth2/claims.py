"""Check the claims of a token."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapter_host.auth.credentials import sent_bytes
from adapter_host.operation.callers import Principal

LEEWAY: Final = 30.0
"""The allowed clock skew between the authorization server and this machine, in seconds."""


class InvalidTokenError(Exception):
    """A token is invalid; the message is sent to the client (RFC 6750, 3 allows no quotes in it)."""


@dataclass(frozen=True, slots=True)
class ExpectedClaims:
    """The claims of a valid token: `audience` in `aud`, and all claims in `required`."""

    audience: str
    required: Collection[str]

    def principal(self, claims: Mapping[str, Any], issuer: str, token: str, now: float) -> Principal:
        """Return the client of a token by its claims; raise `InvalidTokenError`."""
        for name in self.required:
            if claims.get(name) is None:
                raise InvalidTokenError(f"the token has no {name}")
        _check_times(claims, now)
        if claims.get("iss", issuer) != issuer:
            raise InvalidTokenError("the token is from another issuer")
        if self.audience not in _audiences(claims):
            raise InvalidTokenError("the token is not for this resource")
        subject = claims.get("sub")
        if not isinstance(subject, str | None):
            raise InvalidTokenError("the token has a malformed sub")
        client = _client(claims)
        # Tokens that name nobody are of different clients, unless they are the same token.
        digest = None if subject or client else hashlib.sha256(sent_bytes(token)).hexdigest()
        return Principal(subject, _scopes(claims), issuer, client, digest)


def expiry(claims: Mapping[str, Any]) -> float | None:
    """Return the time of expiry, if there is one; raise `InvalidTokenError` when malformed."""
    return _time(claims, "exp")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires, not_before, issued = (_time(claims, name) for name in ("exp", "nbf", "iat"))
    if expires is not None and expires + LEEWAY <= now:
        raise InvalidTokenError("the token has expired")
    if max(not_before or now, issued or now) - LEEWAY > now:
        raise InvalidTokenError("the token is not valid yet")


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    # In Python, a boolean is an int.
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise InvalidTokenError(f"the token has a malformed {name}")


def _audiences(claims: Mapping[str, Any]) -> list[Any]:
    audience = claims.get("aud")
    return audience if isinstance(audience, list) else [audience]


def _client(claims: Mapping[str, Any]) -> str | None:
    """Return the client that a token was issued to: `client_id` (RFC 9068, RFC 7662), or `azp` (OpenID Connect)."""
    for name in ("client_id", "azp"):
        value = claims.get(name)
        if value and isinstance(value, str):
            return value
    return None


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """Return the scopes of a token: in `scope` (RFC 9068), or in `scp` as some servers do."""
    scopes: set[str] = set()
    for name in ("scope", "scp"):
        value = claims.get(name)
        words = value.split(" ") if isinstance(value, str) else value
        if isinstance(words, list):
            scopes.update(word for word in words if word and isinstance(word, str))
    return frozenset(scopes)
