"""What a token says of itself, and whether that is enough."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapter_host.auth.credentials import Principal

LEEWAY: Final = 30.0
"""By how many seconds the clocks of the authorization server and of this machine may differ."""


class InvalidTokenError(Exception):
    """A token is not accepted; the message is fit for the caller (RFC 6750 allows it no quotes)."""


@dataclass(frozen=True, slots=True)
class ExpectedClaims:
    """What a token must say: that it is meant for `audience`, and besides that what is `required`, by name."""

    audience: str
    required: Collection[str]

    def principal(self, claims: Mapping[str, Any], issuer: str, now: float) -> Principal:
        """Who the token stands for; raises `InvalidTokenError`."""
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
        return Principal(subject, _scopes(claims))


def expiry(claims: Mapping[str, Any]) -> float | None:
    """When the token ends, if it says so; raises `InvalidTokenError`."""
    return _time(claims, "exp")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires, not_before, issued = (_time(claims, name) for name in ("exp", "nbf", "iat"))
    if expires is not None and expires + LEEWAY <= now:
        raise InvalidTokenError("the token has expired")
    if max(not_before or now, issued or now) - LEEWAY > now:
        raise InvalidTokenError("the token is not valid yet")


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    # A boolean is an int to Python, and never a time.
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise InvalidTokenError(f"the token has a malformed {name}")


def _audiences(claims: Mapping[str, Any]) -> list[Any]:
    audience = claims.get("aud")
    return audience if isinstance(audience, list) else [audience]


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """The scopes that a token grants: `scope` is the standard's name, `scp` what others write."""
    scopes: set[str] = set()
    for name in ("scope", "scp"):
        value = claims.get(name)
        words = value.split(" ") if isinstance(value, str) else value
        if isinstance(words, list):
            scopes.update(word for word in words if word and isinstance(word, str))
    return frozenset(scopes)
