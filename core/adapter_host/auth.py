"""Who may call an exposer: the document's `authentication`, checked in constant time."""

from __future__ import annotations

import base64
import binascii
import hmac
from abc import abstractmethod
from typing import TYPE_CHECKING

from .capability import Authentication
from .credentials import Credentials, Principal, Refusal, Verdict, credentials_of
from .digest import DigestCredentials
from .provision import Provision

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["Credentials", "compile_credentials"]


def compile_credentials(authentication: Authentication | None, provision: Provision) -> Credentials | None:
    """Compile an exposer's `authentication`; None when it declares none, or with a problem reported."""
    if authentication is None:
        return None
    match authentication.type:
        case "bearer":
            return _Bearer(_secret(authentication, "token", provision))
        case "apikey":
            key, value = (_secret(authentication, field, provision) for field in ("key", "value"))
            return _ApiKey(key.decode(), value, in_query=authentication.placement == "query")
        case "basic":
            username, password = (_secret(authentication, field, provision) for field in ("username", "password"))
            return _Basic(username, password)
        case "digest":
            username, password = (_secret(authentication, field, provision) for field in ("username", "password"))
            return DigestCredentials(username, password)
        case "oauth2":
            # Imported here, as it brings clients of authorization servers, which few documents need.
            from .oauth2.compiler import compile_oauth2

            return compile_oauth2(authentication, provision)


def _secret(authentication: Authentication, field: str, provision: Provision) -> bytes:
    text = getattr(authentication, field)
    if not text:
        message = f"'{authentication.type}' authentication needs a '{field}'"
        provision.problem(message, authentication, field, code="missing-key")
        return b""
    return (provision.secret(text, authentication, field).constant or "").encode()


def _equal(given: bytes, expected: bytes) -> bool:
    # An empty secret accepts nobody, whatever was sent.
    return bool(expected) and hmac.compare_digest(given, expected)


class _Shared(Credentials):
    """A secret that all callers share."""

    def __init__(self, challenge: str, subject: str | None = None) -> None:
        self._principal = Principal(subject)
        self._refusal = Refusal(401, "valid credentials are needed", (challenge,))

    def check(self, request: web.Request) -> Verdict:
        """Compare what it carries."""
        return self._principal if self._accepts(request) else self._refusal

    @abstractmethod
    def _accepts(self, request: web.Request) -> bool: ...


class _Bearer(_Shared):
    kind = "bearer"

    def __init__(self, token: bytes) -> None:
        super().__init__("Bearer")
        self._token = token

    def _accepts(self, request: web.Request) -> bool:
        return _equal(_bytes(credentials_of(request, "bearer")), self._token)


class _ApiKey(_Shared):
    kind = "apikey"

    def __init__(self, key: str, value: bytes, *, in_query: bool) -> None:
        super().__init__(f'ApiKey {"query" if in_query else "header"}="{key}"')
        self._key, self._value, self._in_query = key, value, in_query

    def _accepts(self, request: web.Request) -> bool:
        carried = request.query if self._in_query else request.headers
        return _equal(_bytes(carried.get(self._key, "")), self._value)


class _Basic(_Shared):
    kind = "basic"

    def __init__(self, username: bytes, password: bytes) -> None:
        super().__init__('Basic realm="adapter-host", charset="UTF-8"', username.decode())
        # Without either of them nobody is accepted.
        self._expected = username + b":" + password if username and password else b""

    def _accepts(self, request: web.Request) -> bool:
        try:
            decoded = base64.b64decode(credentials_of(request, "basic"), validate=True)
        except (binascii.Error, ValueError):
            return False
        return _equal(decoded, self._expected)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
