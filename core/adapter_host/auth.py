"""Who may call an exposer: the document's `authentication`, checked in constant time."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from .adapters import Provision
from .capability import Authentication

Accepts = Callable[[web.Request], bool]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request must carry: `accepts` tells, `challenge` is the WWW-Authenticate of a refusal (RFC 9110)."""

    kind: str
    challenge: str
    accepts: Accepts


def compile_credentials(authentication: Authentication | None, provision: Provision) -> Credentials | None:
    """Compile an exposer's `authentication`; None when it declares none."""
    if authentication is None:
        return None
    match authentication.type:
        case "bearer":
            token = _secret(authentication, "token", provision)
            return Credentials("bearer", "Bearer", lambda request: _bearer(request, token))
        case "apikey":
            return _apikey(authentication, provision)
        case "basic":
            username = _secret(authentication, "username", provision)
            password = _secret(authentication, "password", provision)
            # Without either of them nobody is accepted.
            expected = username + b":" + password if username and password else b""
            challenge = 'Basic realm="adapter-host", charset="UTF-8"'
            return Credentials("basic", challenge, lambda request: _basic(request, expected))
    # Fail closed: what cannot be checked is not served.
    message = f"'{authentication.type}' authentication of callers is not supported by this version"
    provision.problem(message, authentication, "type", code="unsupported")
    return None


def _secret(authentication: Authentication, field: str, provision: Provision) -> bytes:
    text = getattr(authentication, field)
    if not text:
        message = f"'{authentication.type}' authentication needs a '{field}'"
        provision.problem(message, authentication, field, code="missing-key")
        return b""
    return (provision.secret(text, authentication, field).constant or "").encode()


def _apikey(authentication: Authentication, provision: Provision) -> Credentials:
    value = _secret(authentication, "value", provision)
    key = (_secret(authentication, "key", provision)).decode()
    challenge = f'ApiKey {authentication.placement}="{key}"'
    if authentication.placement == "query":
        return Credentials("apikey", challenge, lambda request: _equal(request.query.get(key, ""), value))
    return Credentials("apikey", challenge, lambda request: _equal(request.headers.get(key, ""), value))


def _equal(given: str, expected: bytes) -> bool:
    # An empty secret accepts nobody, whatever was sent.
    return bool(expected) and hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected)


def _bearer(request: web.Request, token: bytes) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and _equal(given.strip(), token)


def _basic(request: web.Request, expected: bytes) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        decoded = base64.b64decode(given.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return bool(expected) and hmac.compare_digest(decoded, expected)
